"""NIfTI: the slices of a volume as nibabel reads them, unpacked one at a time."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.core.errors import UserError
from cae.datasets.samples import Sample
from cae.datasets.sources import open_source
from checks.fuzz import make_nifti

VOLUME = np.arange(7 * 5 * 3, dtype=np.int16).reshape(7, 5, 3)


def read(folder: Path, content: bytes) -> list[Sample]:
    (folder / "a.nii").write_bytes(content)
    return list(open_source(folder / "a.nii"))


def change(place: int, form: str, *values: Any) -> bytes:
    """Change a field of the header."""
    content = bytearray(make_nifti(VOLUME))
    struct.pack_into(form, content, place, *values)
    return bytes(content)


@settings(deadline=None)
@given(
    arrays.arrays(
        st.sampled_from(["u1", "<i2", ">i2", "<u2", "<i4", "<f4", "<f8"]),
        arrays.array_shapes(min_dims=2, max_dims=4, max_side=4),
        elements={"allow_nan": False},
    ),
    st.booleans(),
)
def test_slices_are_read_as_nibabel_reads_them(
    tmp_path_factory: pytest.TempPathFactory, volume: npt.NDArray[Any], packed: bool
) -> None:
    content = make_nifti(volume)
    samples = read(tmp_path_factory.getbasetemp(), gzip.compress(content) if packed else content)
    slices = volume.reshape(*volume.shape[:2], -1, order="F")
    assert {sample.pixels.dtype for sample in samples} == {volume.dtype.newbyteorder("=")}
    np.testing.assert_array_equal([sample.pixels.T for sample in samples], np.moveaxis(slices, -1, 0))
    assert {sample.group for sample in samples} == {"a.nii"}


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    samples = read(tmp_path, change(112, "<ff", 0.5, -3))
    np.testing.assert_array_equal(samples[1].pixels, VOLUME[..., 1].T * 0.5 - 3)


def test_one_slice_is_unpacked_at_a_time(tmp_path: Path) -> None:
    content = gzip.compress(make_nifti(np.zeros((64, 64, 3), np.uint8)))
    (tmp_path / "a.nii.gz").write_bytes(content[:-9])
    samples = iter(open_source(tmp_path / "a.nii.gz"))
    assert next(samples).pixels.shape == (64, 64)
    with pytest.raises(UserError, match=r"a\.nii\.gz' is damaged"):
        list(samples)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (make_nifti(VOLUME)[:-1], "is truncated: 1 byte missing"),
        (make_nifti(VOLUME)[:350], "is truncated"),
        (gzip.compress(make_nifti(VOLUME), mtime=0)[:-1], "is damaged"),
        (change(344, "4s", b"ni1\0"), r"has its values in a second file \(.img\)"),
        (change(40, "<8h", 3, 7, 5, -3, 1, 1, 1, 1), "holds no slices: its shape is"),
        (change(40, "<8h", 3, 7, 0, 3, 1, 1, 1, 1), "every side must be at least 1"),
        (change(40, "<8h", 3, 30000, 30000, 3, 1, 1, 1, 1), "at most 67,108,864 pixels"),
        (change(70, "<h", 32), "holds values of type complex64"),
        (change(70, "<h", 128), "holds values of type"),
        (change(70, "<h", 9999), "is damaged"),
        (change(108, "<f", 2.0**30), "has its values at byte 1073741824"),
        (change(0, "<i", 7), "begins with 07000000, not as NIfTI does"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"a\.nii' .*{message}"):
        read(tmp_path, content)
