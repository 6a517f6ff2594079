"""Archives as MedMNIST's: splits and labels, unpacked image by image; pickles and zip bombs are refused."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.core.errors import UserError
from cae.datasets import safety
from cae.datasets.formats import npz
from cae.datasets.sources import open_source

IMAGES = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7)


def write(path: Path, **members: npt.NDArray[Any]) -> Path:
    np.savez_compressed(path, **members)  # type: ignore[arg-type]
    return path


def test_the_splits_of_medmnist_are_kept_with_their_labels(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.npz",
        train_images=IMAGES,
        train_labels=np.array([[2], [0], [1]]),
        val_images=IMAGES[:1] + 1,
        val_labels=np.array([[7]], np.uint8),
        test_images=IMAGES[:2] + 2,
    )
    samples = list(open_source(path))
    assert [(sample.name, sample.label, sample.split) for sample in samples] == [
        ("test_images#0", None, "test"),
        ("test_images#1", None, "test"),
        ("train_images#0", "2", "train"),
        ("train_images#1", "0", "train"),
        ("train_images#2", "1", "train"),
        ("val_images#0", "7", "validation"),
    ]
    np.testing.assert_array_equal([sample.pixels for sample in samples[2:5]], IMAGES)
    assert len({sample.group for sample in samples}) == 6


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (None, [None, None, None]),
        (np.array([3, 1, 2]), ["3", "1", "2"]),
        (np.array([[0, 1], [1, 1], [0, 0]]), ["0,1", "1,1", "0,0"]),
        (np.array(["cat", "dog", "cät"]), ["cat", "dog", "cät"]),
    ],
    ids=["none", "numbers", "several", "text"],
)
def test_images_without_splits_may_have_labels(
    tmp_path: Path, labels: npt.NDArray[Any] | None, expected: list[str | None]
) -> None:
    members = {"images": IMAGES} if labels is None else {"images": IMAGES, "labels": labels}
    samples = list(open_source(write(tmp_path / "a.npz", **members)))
    assert [sample.label for sample in samples] == expected
    assert {sample.split for sample in samples} == {None}


@settings(deadline=None)
@given(
    arrays.arrays(
        st.sampled_from(["u1", "<u2", ">u2", "<i2", "<f4", "<f8", ">i4"]),
        arrays.array_shapes(min_dims=3, max_dims=3, max_side=4)
        | st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3])),
        elements={"allow_nan": False},
    ),
    st.booleans(),
)
def test_pixels_of_any_type_come_back(
    tmp_path_factory: pytest.TempPathFactory, images: npt.NDArray[Any], packed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "a.npz"
    (np.savez_compressed if packed else np.savez)(path, images=images)
    found = [sample.pixels for sample in open_source(path)]
    assert {pixels.dtype for pixels in found} == {images.dtype.newbyteorder("=")}
    np.testing.assert_array_equal(found, images)


class Bomb:
    """What a pickle can do to whoever reads it."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch exploded",)


@pytest.mark.parametrize("key", ["images", "labels"])
def test_objects_are_never_unpickled(tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    members = {"images": IMAGES, key: np.array([Bomb()] * 3, object)}
    with pytest.raises(UserError, match=rf"holds Python objects in {key}\.npy, which are never unpickled"):
        list(open_source(write(tmp_path / "a.npz", **members)))
    assert not (tmp_path / "exploded").exists()


def pack(folder: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(folder / "a.npz", "w", method) as archive:
        archive.writestr("images.npy", content)
    return folder / "a.npz"


def npy(shape: Sequence[int], dtype: str = "|u1", fortran: bool = False) -> bytes:
    """Write the header of a .npy file."""
    buffer = io.BytesIO()
    header = {"descr": dtype, "fortran_order": fortran, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Bomb()), "is damaged or in an unknown format .*magic string"),
        (b"", "is damaged or in an unknown format"),
        (npy((2**40, 28, 28)) + bytes(9), "announces 862.* bytes for images.npy, but holds 137"),
        (npy((1, 3, 3)) + bytes(8), "announces 137 bytes for images.npy, but holds 136"),
        (npy((1, 3, 3)) + bytes(10), "announces 137 bytes for images.npy, but holds 138"),
        (npy((0, 28, 28)), r"shape \(0, 28, 28\) in C order: every size must be at least 1"),
        (npy((1, -3, -3)) + bytes(9), "every size must be at least 1"),
        (npy((2, 3, 3), fortran=True) + bytes(18), r"in Fortran order: .*numpy\.ascontiguousarray"),
        (npy((9, 9)) + bytes(81), r"holds images with shape \(9, 9\): N×H×W and N×H×W×3"),
        (npy((1, 9, 9, 9)) + bytes(729), "9×9×9.*with 1 or 3 channels"),
        (npy((1, 2, 2), "<c8") + bytes(32), "holds values of type complex64"),
        (npy((1, 2, 2), "|b1") + bytes(4), "holds values of type bool"),
        (npy((1, 1, 2), "<M8[s]") + bytes(16), "holds values of type datetime64"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "in another format than version 1.0"),
    ],
)
def test_what_an_array_announces_is_checked_before_it_is_read(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(UserError, match=rf"a\.npz' .*{message}"):
        list(open_source(pack(tmp_path, content)))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"x": IMAGES}, "holds the arrays 'x': train_images, val_images and test_images are supported"),
        ({"train_labels": np.zeros(3)}, "holds the arrays 'train_labels'"),
        ({"images": IMAGES, "labels": np.arange(2)}, "holds 3 images and 2 labels"),
        ({"images": IMAGES, "labels": np.zeros(3)}, "holds labels of type float64"),
        ({"images": IMAGES, "labels": np.zeros((3, 1, 1), int)}, "holds labels of type int64 and shape"),
    ],
)
def test_other_arrays_are_named(tmp_path: Path, members: dict[str, npt.NDArray[Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(open_source(write(tmp_path / "a.npz", **members)))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    header = npy((1100, 1024, 1024))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as member:
            member.write(header)
        (info,) = archive.infolist()
        # What a bomb says about itself; making a real one would take a minute.
        info.file_size = len(header) + 1100 * 2**20
    with pytest.raises(UserError, match=r"unpacks images\.npy from .* bytes to 1,153,.*It is a zip bomb"):
        list(open_source(tmp_path / "a.npz"))


def test_an_array_that_unpacks_to_more_than_the_archive_says_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path, npy((2, 3, 3)) + bytes(18 + 10**6))
    # Both places where a zip gives the size: the array then ends where announced, with a wrong checksum.
    true, claimed = struct.pack("<I", 128 + 18 + 10**6), struct.pack("<I", 128 + 18)
    assert path.read_bytes().count(true) == 2
    path.write_bytes(path.read_bytes().replace(true, claimed))
    with pytest.raises(UserError, match=r"a\.npz' is damaged .*CRC"):
        list(open_source(path))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unsupported_compression_is_refused(tmp_path: Path, method: int) -> None:
    with pytest.raises(UserError, match=r"compresses images\.npy in an unsupported way"):
        list(open_source(pack(tmp_path, npy((1, 2, 2)) + bytes(4), method)))


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", images=IMAGES)
    content = path.read_bytes()
    for end in range(4, len(content), 7):
        path.write_bytes(content[:end])
        with pytest.raises(UserError, match=r"a\.npz' is damaged"):
            list(open_source(path))


def test_one_image_is_unpacked_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def read_exactly(stream: Any, count: int) -> bytes:
        sizes.append(count)
        return safety.read_exactly(stream, count)

    monkeypatch.setattr(npz, "read_exactly", read_exactly)
    next(iter(open_source(write(tmp_path / "a.npz", images=np.zeros((1000, 8, 8), np.uint8)))))
    assert sizes == [64]
