"""DICOM: the values of the modality, frame by frame, grouped by patient."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless

from cae.core.errors import UserError
from cae.datasets.samples import Sample
from cae.datasets.sources import open_source
from checks.fuzz import make_dicom

CT = np.arange(-500, -465, dtype=np.int16).reshape(5, 7)
RGB = np.arange(30, dtype=np.uint8).reshape(2, 5, 3)


def read(folder: Path, content: bytes) -> list[Sample]:
    (folder / "a.dcm").write_bytes(content)
    return list(open_source(folder / "a.dcm"))


@pytest.mark.parametrize(
    ("dtype", "packed"),
    [("u1", False), ("u2", False), ("i2", False), ("u4", False), ("u1", True), ("u2", True)],
)
def test_stored_values_are_kept_without_a_slope(tmp_path: Path, dtype: str, packed: bool) -> None:
    pixels = np.abs(CT).astype(dtype)
    (sample,) = read(tmp_path, make_dicom(pixels, packed))
    assert sample.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(sample.pixels, pixels)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [
        ("2", "-1024", "f4"),
        ("0.5", "1", "f4"),
        (None, "-1000", "f4"),
        ("3", None, "f4"),
        ("1", "0", "i2"),
    ],
)
def test_slope_and_intercept_give_the_values_of_the_modality(
    tmp_path: Path, slope: str | None, intercept: str | None, dtype: str
) -> None:
    content = make_dicom(CT, RescaleSlope=slope, RescaleIntercept=intercept)
    (sample,) = read(tmp_path, content)
    assert sample.pixels.dtype == dtype
    np.testing.assert_array_equal(sample.pixels, CT * float(slope or 1) + float(intercept or 0))


@pytest.mark.parametrize(
    ("pixels", "bits", "expected"),
    [
        (np.array([[0, 255]], np.uint8), 8, [[255, 0]]),
        (np.array([[0, 4095]], np.uint16), 12, [[4095, 0]]),
        (np.array([[-32768, 32767]], np.int16), 16, [[32767, -32768]]),
    ],
)
def test_images_that_store_white_as_0_are_inverted(
    tmp_path: Path, pixels: npt.NDArray[Any], bits: int, expected: list[list[int]]
) -> None:
    tags: dict[str, Any] = {"BitsStored": bits, "HighBit": bits - 1}
    (sample,) = read(tmp_path, make_dicom(pixels, PhotometricInterpretation="MONOCHROME1", **tags))
    np.testing.assert_array_equal(sample.pixels, expected)


def test_colours_are_read_as_rgb(tmp_path: Path) -> None:
    colours: dict[str, Any] = {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}
    size: dict[str, Any] = {"Rows": 2, "Columns": 5, "NumberOfFrames": None, "PlanarConfiguration": 0}
    (sample,) = read(tmp_path, make_dicom(RGB, **colours, **size))
    np.testing.assert_array_equal(sample.pixels, RGB)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "RLE"])
def test_every_frame_is_a_sample(tmp_path: Path, packed: bool) -> None:
    frames = np.stack([CT, CT + 1, CT + 2])
    samples = read(tmp_path, make_dicom(frames, packed))
    assert [sample.name for sample in samples] == ["a.dcm#0", "a.dcm#1", "a.dcm#2"]
    np.testing.assert_array_equal([sample.pixels for sample in samples], frames)


def test_the_slices_of_a_patient_are_one_group_whatever_their_folders(tmp_path: Path) -> None:
    patients: dict[str, dict[str, Any]] = {
        "one/1": {"PatientID": "A"},
        "one/2": {"PatientID": "B"},
        "two/deep/1": {"PatientID": "A"},
        "two/deep/2": {"PatientID": None, "StudyInstanceUID": "1.2"},
        "two/deep/3": {"PatientID": "", "StudyInstanceUID": "1.2"},
        "two/deep/4": {"PatientID": None},
    }
    for name, tags in patients.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(make_dicom(CT, **tags))
    (tmp_path / "DICOMDIR").write_bytes(make_dicom(CT, Rows=None))
    assert [sample.group for sample in open_source(tmp_path)] == ["A", "B", "A", "1.2", "1.2", "two/deep/4"]


def stored_as(uid: str) -> bytes:
    """Write a file without pixels whose header gives another transfer syntax."""
    data = pydicom.dcmread(io.BytesIO(make_dicom(CT, PixelData=None)))
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(uid)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return buffer.getvalue()


def with_slope(text: str) -> bytes:
    """Write a slope that pydicom refuses to write."""
    content = make_dicom(CT, RescaleSlope="3.5", RescaleIntercept="0")
    return content.replace(b"3.5 ", text.encode().ljust(4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (make_dicom(CT, PixelData=None), "holds no pixels that can be read"),
        (make_dicom(CT, Rows=None), "holds no pixels: its header has no rows and columns"),
        (make_dicom(CT, Rows=0), "holds no pixels"),
        (make_dicom(CT, Rows=65535, Columns=65535), "at most 67,108,864 pixels"),
        (make_dicom(CT, Rows=50), "is damaged .*reshape"),
        (make_dicom(CT, PhotometricInterpretation="PALETTE COLOR"), "has the colours 'PALETTE COLOR': MONO"),
        (make_dicom(CT, SamplesPerPixel=2), "with 1 or 3 channels"),
        (stored_as(JPEGLSLossless), "stores its pixels as 'JPEG-LS Lossless.*gdcmconv --raw"),
        (stored_as(DeflatedExplicitVRLittleEndian), "is deflated as a whole"),
        (stored_as("1.2.840.10008.1.2.4.100"), "stores its pixels as 'MPEG2.*cannot be decoded here"),
        (stored_as("1.2.3"), "stores its pixels as '1.2.3', which cannot be decoded here"),
        (with_slope("0"), "has slope 0.* they must be finite, and the slope not 0"),
        (with_slope("nan"), "(has slope|is damaged)"),
        (with_slope("inf"), "(has slope|is damaged)"),
        (make_dicom(CT)[:-30], "is damaged"),
        (make_dicom(CT)[:140], "does not say how its pixels are stored"),
        (make_dicom(CT)[:100], "is damaged .*InvalidDicomError"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"a\.dcm' .*{message}"):
        read(tmp_path, content)
