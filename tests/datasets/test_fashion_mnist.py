"""Fashion-MNIST: only the published content is accepted.

Tiny files with checksums of their own stand in for the real ones.
"""

import gzip
import hashlib
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from cae.core.errors import UserError
from cae.datasets import fashion_mnist

NAMES = tuple(fashion_mnist.CHECKSUMS)


def encode(values: npt.NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


ARRAYS = {
    NAMES[0]: np.arange(5 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(5, 28, 28),
    NAMES[1]: np.array([3, 1, 4, 1, 5], dtype=np.uint8),
    NAMES[2]: np.full((2, 28, 28), 7, dtype=np.uint8),
    NAMES[3]: np.array([9, 2], dtype=np.uint8),
}
PLAIN = {name: encode(values) for name, values in ARRAYS.items()}
CHECKSUMS = {name: hashlib.sha256(content).hexdigest() for name, content in PLAIN.items()}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_verified_files_become_arrays(tmp_path: Path, pack: type) -> None:
    for name, content in PLAIN.items():
        (tmp_path / name).write_bytes(pack(content))
    data = fashion_mnist.fetch(tmp_path, [], CHECKSUMS)
    found = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    for array, expected in zip(found, ARRAYS.values(), strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)
    assert (data.origin, data.notes) == (str(tmp_path), ())


IMAGES = NAMES[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(PLAIN[IMAGES])[:-20], "is damaged or in an unknown format .EOFError"),
        (PLAIN[IMAGES][:-1], "is truncated: 1 byte missing"),
        (b"not found", "begins with 6e6f7420"),
        (PLAIN[NAMES[1]], "begins with 00000801"),
        (encode(255 - ARRAYS[IMAGES]), f"not {CHECKSUMS[IMAGES]}"),
    ],
    ids=["truncated gzip", "truncated", "wrong magic", "another file", "other pixels"],
)
def test_a_file_with_the_wrong_content_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / IMAGES).write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        fashion_mnist.read_verified(tmp_path / IMAGES, IMAGES, CHECKSUMS[IMAGES])


def test_an_unreadable_file_is_named_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / IMAGES).write_bytes(PLAIN[IMAGES])

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=f"{IMAGES} cannot be read: Permission denied. Make it readable, or"):
        fashion_mnist.fetch(tmp_path, [], CHECKSUMS)
    assert [path.name for path in tmp_path.iterdir()] == [IMAGES]


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_and_labels_of_different_length_are_named(tmp_path: Path, split: str) -> None:
    images, labels = NAMES[:2] if split == "train" else NAMES[2:]
    short = encode(ARRAYS[labels][:-1])
    for name, content in {**PLAIN, labels: short}.items():
        (tmp_path / name).write_bytes(content)
    sizes = rf"\({len(ARRAYS[images])}, 28, 28\) and the {split} labels \({len(ARRAYS[labels]) - 1},\)"
    with pytest.raises(UserError, match=f"The {split} images have shape {sizes}"):
        fashion_mnist.fetch(tmp_path, [], {**CHECKSUMS, labels: hashlib.sha256(short).hexdigest()})


def test_if_no_mirror_works_three_remedies_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        fashion_mnist.fetch(tmp_path, [])
    *_, network, by_hand, install = str(caught.value).splitlines()
    assert fashion_mnist.KERAS_URL in network
    assert all(name in by_hand for name in NAMES)
    assert fashion_mnist.PACKAGE in install


def test_the_address_is_that_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.datasets import fashion_mnist as keras_fashion_mnist

    asked = []

    def note(name: str, origin: str, cache_subdir: str) -> str:
        asked.append(origin)
        return os.devnull

    monkeypatch.setattr(keras_fashion_mnist, "get_file", note)
    with pytest.raises(ValueError, match="buffer"):
        keras_fashion_mnist.load_data()
    assert sorted(asked) == sorted(f"{fashion_mnist.KERAS_URL}{name}.gz" for name in NAMES)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt-get on this machine")
def test_apt_fetches_the_published_data(tmp_path: Path) -> None:
    # A space in the path, because apt has a syntax of its own for its options.
    raw = tmp_path / "raw data"
    try:
        data = fashion_mnist.fetch(raw, [fashion_mnist.MIRRORS[2]])
    except UserError as error:
        if "E: Failed to fetch" in str(error):
            pytest.skip(f"this machine reaches no package archive: {error}")
        raise
    assert data.train_images.shape == (60000, 28, 28)
    assert data.test_images.shape == (10000, 28, 28)
    assert np.bincount(data.train_labels).tolist() == [6000] * 10
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
