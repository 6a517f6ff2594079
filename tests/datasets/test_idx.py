"""Reading IDX: what was written comes back; anything less, or anything else, is named."""

import gzip
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.core.errors import UserError
from cae.datasets.formats import idx

SHAPES = st.one_of(
    arrays.array_shapes(min_dims=1, max_dims=1, max_side=6),
    arrays.array_shapes(min_dims=3, max_dims=3, max_side=6),
)
VALUES = arrays.arrays(np.uint8, SHAPES)


def encode(values: npt.NDArray[np.uint8]) -> bytes:
    magic = bytes([0, 0, 8, values.ndim])
    return magic + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@given(VALUES)
def test_decoding_gives_back_what_was_encoded(values: npt.NDArray[np.uint8]) -> None:
    decoded = idx.decode(encode(values))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, values)


@given(VALUES, st.data())
def test_no_part_of_a_file_passes_for_the_whole(values: npt.NDArray[np.uint8], data: st.DataObject) -> None:
    whole = encode(values)
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ValueError, match=r"begins with|truncated inside its header|its header announces"):
        idx.decode(whole[:end])


@given(VALUES, st.binary(min_size=1, max_size=9))
def test_bytes_after_the_values_are_refused(values: npt.NDArray[np.uint8], more: bytes) -> None:
    with pytest.raises(ValueError, match="its header announces"):
        idx.decode(encode(values) + more)


@given(st.binary(max_size=64))
def test_no_bytes_at_all_raise_anything_but_a_value_error(stored: bytes) -> None:
    try:
        decoded = idx.decode(stored)
    except ValueError:
        return
    assert encode(decoded) == stored


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_content_and_not_the_name_says_whether_it_is_gzipped(tmp_path: Path, name: str, pack: type) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / name).write_bytes(pack(encode(values)))
    np.testing.assert_array_equal(idx.read_idx(tmp_path / name), values)


def test_every_truncation_of_a_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    whole = gzip.compress(encode(np.arange(10, dtype=np.uint8)))
    for end in range(2, len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(UserError, match=r"labels.gz: the gzip stream is truncated"):
            idx.read_idx(path)


@pytest.mark.parametrize("place", [12, -8, -1], ids=["deflated bytes", "checksum", "length"])
def test_a_changed_byte_in_a_gzip_is_refused(tmp_path: Path, place: int) -> None:
    path = tmp_path / "labels.gz"
    damaged = bytearray(gzip.compress(encode(np.arange(10, dtype=np.uint8))))
    damaged[place] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"labels.gz: the gzip stream is (damaged|truncated)"):
        idx.read_idx(path)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (b"", "begins with nothing, not 00000803 .images. or 00000801 .labels."),
        (b"<!DOCTYPE html>", "begins with 3c21444f"),
        (bytes.fromhex("00000d03") + bytes(12), "begins with 00000d03"),
        (bytes.fromhex("00000802") + bytes(8), "begins with 00000802"),
        (bytes.fromhex("00000803 00000001"), "truncated inside its header: 8 of 16 bytes"),
        (bytes.fromhex("00000801 00000003 0102"), "announces 3 = 3 values, but 2 follow"),
        (bytes.fromhex("00000801 00000001 0102"), "announces 1 = 1 values, but 2 follow"),
        (
            bytes.fromhex("00000803 00000002 00000002 00000002 00"),
            "announces 2×2×2 = 8 values, but 1 follow",
        ),
        (bytes.fromhex("00000803 00000000 ffffffff ffffffff"), "every size must be at least 1"),
    ],
    ids=[
        "empty",
        "a web page",
        "floats",
        "two dimensions",
        "half a header",
        "too few",
        "too many",
        "sizes",
        "none",
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, stored: bytes, message: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(stored)
    with pytest.raises(UserError, match=f"train-images-idx3-ubyte: .*{message}.*again"):
        idx.read_idx(path)


@pytest.mark.parametrize(("name", "message"), [("absent", "No such file"), ("folder", "Is a directory")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"{name} cannot be read: {message}"):
        idx.read_idx(tmp_path / name)
