"""Reading DICOM and NIfTI: the values of the modality, frame by frame, and what belongs to one patient."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.uid import JPEGLSLossless

from cae.core.errors import UserError
from cae.datasets.samples import Sample
from cae.datasets.sources import open_source
from checks.fuzz import make_dicom, make_nifti

CT = np.arange(-500, -465, dtype=np.int16).reshape(5, 7)
VOLUME = np.arange(7 * 5 * 3, dtype=np.int16).reshape(7, 5, 3)


def read(path: Path, content: bytes) -> list[Sample]:
    path.write_bytes(content)
    return list(open_source(path))


@pytest.mark.parametrize(
    ("dtype", "packed"),
    [("u1", False), ("u2", False), ("i2", False), ("u4", False), ("u1", True), ("u2", True)],
)
def test_stored_values_come_as_they_are_without_a_slope(tmp_path: Path, dtype: str, packed: bool) -> None:
    pixels = np.abs(CT).astype(dtype)
    (sample,) = read(tmp_path / "a.dcm", make_dicom(pixels, packed))
    assert sample.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(sample.pixels, pixels)


@pytest.mark.parametrize(("slope", "intercept"), [("2", "-1024"), ("0.5", "1"), (None, "-1000"), ("3", None)])
def test_slope_and_intercept_give_the_values_of_the_modality(
    tmp_path: Path, slope: str | None, intercept: str | None
) -> None:
    content = make_dicom(CT, RescaleSlope=slope, RescaleIntercept=intercept)
    (sample,) = read(tmp_path / "a.dcm", content)
    assert sample.pixels.dtype == np.float32
    np.testing.assert_array_equal(sample.pixels, CT * float(slope or 1) + float(intercept or 0))


def test_a_slope_that_changes_nothing_keeps_the_type(tmp_path: Path) -> None:
    (sample,) = read(tmp_path / "a.dcm", make_dicom(CT, RescaleSlope="1", RescaleIntercept="0"))
    np.testing.assert_array_equal(sample.pixels, CT)
    assert sample.pixels.dtype == np.int16


@pytest.mark.parametrize("slope", ["0", "nan", "inf"])
def test_a_slope_that_is_none_is_named(tmp_path: Path, slope: str) -> None:
    # pydicom writes no such number.
    content = make_dicom(CT, RescaleSlope="3.5", RescaleIntercept="0").replace(
        b"3.5 ", slope.encode().ljust(4)
    )
    with pytest.raises(UserError, match=r"a\.dcm' (has slope|is damaged)"):
        read(tmp_path / "a.dcm", content)


@pytest.mark.parametrize(
    ("pixels", "bits", "expected"),
    [
        (np.array([[0, 255]], np.uint8), 8, [[255, 0]]),
        (np.array([[0, 4095]], np.uint16), 12, [[4095, 0]]),
        (np.array([[-32768, 32767]], np.int16), 16, [[32767, -32768]]),
    ],
)
def test_white_is_zero_is_inverted(
    tmp_path: Path, pixels: npt.NDArray[Any], bits: int, expected: list[list[int]]
) -> None:
    tags: dict[str, Any] = {
        "PhotometricInterpretation": "MONOCHROME1",
        "BitsStored": bits,
        "HighBit": bits - 1,
    }
    (sample,) = read(tmp_path / "a.dcm", make_dicom(pixels, **tags))
    np.testing.assert_array_equal(sample.pixels, expected)


def test_colours_are_read_as_rgb(tmp_path: Path) -> None:
    pixels = np.arange(30, dtype=np.uint8).reshape(2, 5, 3)
    tags: dict[str, Any] = {
        "PhotometricInterpretation": "RGB",
        "SamplesPerPixel": 3,
        "PlanarConfiguration": 0,
        "Rows": 2,
        "Columns": 5,
        "NumberOfFrames": None,
    }
    (sample,) = read(tmp_path / "a.dcm", make_dicom(pixels, **tags))
    np.testing.assert_array_equal(sample.pixels, pixels)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "RLE"])
def test_every_frame_is_a_sample(tmp_path: Path, packed: bool) -> None:
    frames = np.stack([CT, CT + 1, CT + 2])
    found = read(tmp_path / "a.dcm", make_dicom(frames, packed))
    assert [sample.name for sample in found] == ["a.dcm#0", "a.dcm#1", "a.dcm#2"]
    np.testing.assert_array_equal([sample.pixels for sample in found], frames)


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
    source = open_source(tmp_path)
    assert source.kind == "DICOM"
    assert [sample.group for sample in source] == ["A", "B", "A", "1.2", "1.2", "two/deep/4"]


def syntax(uid: str) -> bytes:
    """Write a file that says its pixels are stored in another way than they are."""
    content, plain = make_dicom(CT), pydicom.uid.ExplicitVRLittleEndian.encode()
    same_length = uid.encode().ljust(len(plain) + len(plain) % 2, b"\0")
    place = content.index(plain)
    # The length of the element, before its value, and that of the whole group, at its beginning.
    more = len(same_length) - struct.unpack("<H", content[place - 2 : place])[0]
    group = content.index(b"\x02\0\0\0UL\x04\0") + 8
    total = struct.unpack("<I", content[group : group + 4])[0] + more
    return (
        content[:group]
        + struct.pack("<I", total)
        + content[group + 4 : place - 2]
        + struct.pack("<H", len(same_length))
        + same_length
        + content[place + len(plain) + len(plain) % 2 :]
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (make_dicom(CT, PixelData=None), "holds no pixels that can be read"),
        (make_dicom(CT, Rows=None), "holds no pixels: its header has no rows and columns"),
        (make_dicom(CT, Rows=0), "holds no pixels"),
        (make_dicom(CT, Rows=65535, Columns=65535), "at most 67,108,864 pixels"),
        (make_dicom(CT, Rows=50), "is damaged .*reshape"),
        (
            make_dicom(CT, PhotometricInterpretation="PALETTE COLOR"),
            "has the colours 'PALETTE COLOR': MONOCHROME1",
        ),
        (make_dicom(CT, SamplesPerPixel=2), "with 1 or 3 channels"),
        (syntax(JPEGLSLossless), "stores its pixels as 'JPEG-LS Lossless.*gdcmconv --raw"),
        (syntax("1.2.840.10008.1.2.1.99"), "is deflated as a whole"),
        (syntax("1.2.840.10008.1.2.4.100"), "stores its pixels as 'MPEG2.*cannot be decoded here"),
        (syntax("1.2.3"), "stores its pixels as '1.2.3', which cannot be decoded here"),
        (make_dicom(CT)[:-30], "is damaged"),
        (make_dicom(CT)[:140], "does not say how its pixels are stored"),
        (make_dicom(CT)[:100], "is damaged .*InvalidDicomError"),
    ],
)
def test_a_dicom_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"a\.dcm' .*{message}"):
        read(tmp_path / "a.dcm", content)


@settings(deadline=None)
@given(
    arrays.arrays(
        st.sampled_from(["u1", "<i2", ">i2", "<u2", "<i4", "<f4", "<f8"]),
        arrays.array_shapes(min_dims=2, max_dims=4, max_side=4),
        elements={"allow_nan": False},
    ),
    st.booleans(),
)
def test_the_slices_of_a_volume_come_as_nibabel_reads_them(
    tmp_path_factory: pytest.TempPathFactory, volume: npt.NDArray[Any], packed: bool
) -> None:
    content = make_nifti(volume)
    path = tmp_path_factory.getbasetemp() / "a.nii"
    found = read(path, gzip.compress(content) if packed else content)
    slices = volume.reshape(*volume.shape[:2], -1, order="F")
    assert {sample.pixels.dtype for sample in found} == {volume.dtype.newbyteorder("=")}
    np.testing.assert_array_equal([sample.pixels.T for sample in found], np.moveaxis(slices, -1, 0))
    assert {sample.group for sample in found} == {"a.nii"}


def scaled(slope: float, intercept: float) -> bytes:
    content = bytearray(make_nifti(VOLUME))
    content[112:120] = struct.pack("<ff", slope, intercept)
    return bytes(content)


def test_slope_and_intercept_of_a_volume_are_used(tmp_path: Path) -> None:
    found = read(tmp_path / "a.nii", scaled(0.5, -3))
    np.testing.assert_array_equal(found[1].pixels, VOLUME[..., 1].T * 0.5 - 3)


def put(place: int, form: str, *values: Any, content: bytes = b"") -> bytes:
    """Change a field of a header."""
    changed = bytearray(content or make_nifti(VOLUME))
    packed = struct.pack(form, *values)
    changed[place : place + len(packed)] = packed
    return bytes(changed)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (make_nifti(VOLUME)[:-1], "is truncated: 1 byte missing"),
        (make_nifti(VOLUME)[:350], "is truncated"),
        (gzip.compress(make_nifti(VOLUME))[:-1], "is damaged"),
        (put(344, "4s", b"ni1\0"), r"has its values in a second file \(.img\)"),
        (put(40, "<8h", 3, 7, 5, -3, 1, 1, 1, 1), "holds no slices: its shape is"),
        (put(40, "<8h", 3, 7, 0, 3, 1, 1, 1, 1), "every side must be at least 1"),
        (put(40, "<8h", 3, 30000, 30000, 3, 1, 1, 1, 1), "at most 67,108,864 pixels"),
        (put(70, "<h", 32), "holds values of type complex64"),
        (put(70, "<h", 128), "holds values of type"),
        (put(70, "<h", 9999), "is damaged"),
        (put(108, "<f", 2.0**30), "has its values at byte 1073741824"),
        (put(0, "<i", 7), "begins with 07000000, not as NIfTI does"),
    ],
)
def test_a_volume_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"a\.nii' .*{message}"):
        read(tmp_path / "a.nii", content)


def test_one_slice_is_unpacked_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(make_nifti(np.zeros((64, 64, 500), np.uint8))))
    samples = iter(open_source(tmp_path / "a.nii.gz"))
    assert next(samples).pixels.shape == (64, 64)
