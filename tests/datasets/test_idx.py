"""IDX: values come back image by image, with their labels and splits; anything damaged is named."""

import gzip
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.core.errors import UserError
from cae.datasets.formats import idx
from cae.datasets.safety import UnsupportedError
from cae.datasets.sources import open_source

SHAPES = st.one_of(*(arrays.array_shapes(min_dims=n, max_dims=n, max_side=6) for n in (1, 3)))
VALUES = arrays.arrays(np.uint8, SHAPES)
IMAGES = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7)
LABELS = np.array([9, 0, 4], np.uint8)


def encode(values: npt.NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def decode(content: bytes, dimensions: int) -> list[npt.NDArray[np.uint8]]:
    magic = idx.LABELS_MAGIC if dimensions == 1 else idx.IMAGES_MAGIC
    return list(idx.decode(io.BytesIO(content), magic))


@given(VALUES)
def test_values_come_back_as_they_were_written(values: npt.NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(decode(encode(values), values.ndim), values)


@given(VALUES, st.data())
def test_a_part_of_a_file_is_refused(values: npt.NDArray[np.uint8], data: st.DataObject) -> None:
    content = encode(values)
    end = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(UnsupportedError, match=r"begins with|is truncated"):
        decode(content[:end], values.ndim)


@given(st.binary(max_size=64))
def test_bytes_are_refused_unless_they_are_a_whole_file(content: bytes) -> None:
    try:
        values = decode(content, 1)
    except UnsupportedError:
        return
    assert encode(np.stack(values)) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing, but an IDX file of images begins with 00000803"),
        (bytes.fromhex("00000d03") + bytes(12), "begins with 00000d03"),
        (encode(LABELS), "begins with 00000801"),
        (bytes.fromhex("00000803 00000001"), "is truncated: 8 bytes missing"),
        (bytes.fromhex("00000803 00000000 00000001 00000001"), "announces no values"),
        (bytes.fromhex("00000803 00000001 00000000 00000001"), "every side must be at least 1"),
        (bytes.fromhex("00000803 ffffffff ffffffff ffffffff"), "at most 67,108,864 pixels"),
        (encode(IMAGES) + b"x", "goes on after the 3 values"),
        (gzip.compress(encode(IMAGES), mtime=0)[:-9], "is damaged or in an unknown format .EOFError"),
        (gzip.compress(encode(IMAGES), mtime=0)[:-2] + b"xx", "is damaged .* .BadGzipFile"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(UserError, match=rf"train-images-idx3-ubyte' .*{message}"):
        list(open_source(tmp_path))


@pytest.fixture(params=["plain", "gzipped"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Lay out files as MNIST does; the test split has no labels."""
    members = {"train-images-idx3-ubyte": IMAGES, "train-labels-idx1-ubyte": LABELS}
    for name, values in (members | {"t10k-images-idx3-ubyte": IMAGES[:1] + 1}).items():
        if request.param == "plain":
            (tmp_path / name).write_bytes(encode(values))
        else:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(encode(values)))
    return tmp_path


def test_a_folder_gives_both_splits_with_their_labels(folder: Path) -> None:
    source = open_source(folder)
    samples = list(source)
    assert source.kind == "IDX"
    assert [(sample.name[:4], sample.name[-2:], sample.label, sample.split) for sample in samples] == [
        ("t10k", "#0", None, "test"),
        ("trai", "#0", "9", "train"),
        ("trai", "#1", "0", "train"),
        ("trai", "#2", "4", "train"),
    ]
    np.testing.assert_array_equal([sample.pixels for sample in samples[1:]], IMAGES)
    assert len({sample.group for sample in samples}) == 4


def test_one_image_is_unpacked_at_a_time(folder: Path) -> None:
    for path in folder.glob("train-images*"):
        content = encode(IMAGES)[:-70]
        path.write_bytes(gzip.compress(content) if path.suffix else content)
    samples = iter(open_source(folder))
    assert [next(samples).split, next(samples).label] == ["test", "9"]
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte(\.gz)?' is truncated: 35 bytes missing"):
        list(samples)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:2], "holds more images than .*train-labels-idx1-ubyte.* labels"),
        (np.append(LABELS, 1), "holds fewer images than .*train-labels-idx1-ubyte.* labels"),
        (IMAGES, "train-labels.* begins with 00000803, but an IDX file of labels begins with 00000801"),
    ],
    ids=["too few", "too many", "images"],
)
def test_labels_that_do_not_match_are_named(folder: Path, labels: Any, message: str) -> None:
    for path in folder.glob("train-labels*"):
        path.write_bytes(encode(labels.astype(np.uint8)))
    with pytest.raises(UserError, match=message):
        list(open_source(folder))


def test_labels_without_images_are_named(tmp_path: Path) -> None:
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(encode(LABELS))
    with pytest.raises(UserError, match="holds labels but no images"):
        open_source(tmp_path)


@pytest.mark.parametrize("content", ["images-idx3", "labels-idx1"])
def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path, content: str) -> None:
    (path,) = folder.glob(f"train-{content}*")
    (tmp_path / "outside").mkdir()
    path.rename(tmp_path / "outside" / path.name)
    source = tmp_path / "source"
    source.mkdir()
    for other in tmp_path.glob("*-ubyte*"):
        other.rename(source / other.name)
    (source / path.name).symlink_to(f"../outside/{path.name}")
    with pytest.raises(UserError, match=rf"train-{content}-ubyte(\.gz)?' is a link to .*outside the source"):
        list(open_source(source))
