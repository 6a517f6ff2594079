"""Reading IDX picture by picture: a file or a folder of two parts, and what does not pair or fit is named."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cae.core.errors import UserError
from cae.datasets import sources

IMAGES = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7)
LABELS = np.array([9, 0, 4], np.uint8)


def encode(values: npt.NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.fixture(params=["plain", "gzipped"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Lay out files as MNIST does; the test part has no labels."""
    members = {"train-images-idx3-ubyte": IMAGES, "train-labels-idx1-ubyte": LABELS}
    for name, values in (members | {"t10k-images-idx3-ubyte": IMAGES[:1] + 1}).items():
        if request.param == "plain":
            (tmp_path / name).write_bytes(encode(values))
        else:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(encode(values)))
    return tmp_path


def test_a_folder_gives_both_parts_with_their_labels(folder: Path) -> None:
    source = sources.open_source(folder)
    assert source.kind == "idx"
    found = list(source)
    assert [(picture.label, picture.split) for picture in found] == [
        (None, "test"),
        ("9", "train"),
        ("0", "train"),
        ("4", "train"),
    ]
    assert [picture.name.partition("-")[0] for picture in found] == ["t10k", "train", "train", "train"]
    assert [picture.name.partition("#")[2] for picture in found] == ["0", "0", "1", "2"]
    np.testing.assert_array_equal([picture.pixels for picture in found[1:]], IMAGES)
    assert len({picture.group for picture in found}) == 4


def test_one_picture_is_unpacked_at_a_time(folder: Path) -> None:
    for path in folder.glob("train-images*"):
        stored = encode(IMAGES)[:-70]
        path.write_bytes(gzip.compress(stored) if path.suffix else stored)
    pictures = iter(sources.open_source(folder))
    # The first of the three is there; that the others are not is found on the way.
    assert [next(pictures).part, next(pictures).label] == ["test", "9"]
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte(\.gz)?' is truncated: 35 bytes missing"):
        list(pictures)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:2], "holds more images than .*train-labels-idx1-ubyte.* labels"),
        (np.append(LABELS, 1), "holds fewer images than .*train-labels-idx1-ubyte.* labels"),
        (IMAGES, "begins with 00000803, not 00000801"),
    ],
    ids=["too few", "too many", "images"],
)
def test_labels_that_do_not_pair_are_named(folder: Path, labels: Any, message: str) -> None:
    for path in folder.glob("train-labels*"):
        path.write_bytes(encode(labels.astype(np.uint8)))
    with pytest.raises(UserError, match=message):
        list(sources.open_source(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encode(LABELS), "begins with 00000801"),
        (bytes.fromhex("00000803 00000001"), "is truncated: 8 bytes missing"),
        (bytes.fromhex("00000803 00000000 00000001 00000001"), "announces no values"),
        (bytes.fromhex("00000803 00000001 00000000 00000001"), "every side must be at least 1"),
        (bytes.fromhex("00000803 ffffffff ffffffff ffffffff"), "at most 67,108,864 pixels"),
        (encode(IMAGES) + b"x", "goes on after the 3 values"),
        (gzip.compress(encode(IMAGES), mtime=0)[:-9], "is damaged or of an unknown kind .EOFError"),
        (
            gzip.compress(encode(IMAGES), mtime=0)[:-2] + b"xx",
            "is damaged or of an unknown kind .BadGzipFile",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(UserError, match=rf"train-images-idx3-ubyte' .*{message}"):
        list(sources.open_source(tmp_path))


def test_labels_alone_are_named(tmp_path: Path) -> None:
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(encode(LABELS))
    with pytest.raises(UserError, match="holds labels and no images"):
        sources.open_source(tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(encode(IMAGES))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "train-images-idx3-ubyte").symlink_to("../images")
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte' is a link to .*outside of the source"):
        list(sources.open_source(tmp_path / "source"))
