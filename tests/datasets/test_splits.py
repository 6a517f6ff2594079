"""Splits: disjoint, drawn by seed, normalised, memory-mapped."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cae.core.errors import UserError
from cae.datasets import splits

sizes_and_surplus = st.tuples(st.integers(1, 50), st.integers(1, 50), st.integers(0, 50))


@given(sizes_and_surplus, st.integers(0, 2**31 - 1))
def test_indices_are_disjoint_sorted_and_in_range(sizes: tuple[int, int, int], seed: int) -> None:
    validation, train, surplus = sizes
    available = validation + train + surplus
    drawn = splits.draw(available, {"validation": validation, "train": train}, seed)
    together = np.concatenate([drawn["validation"], drawn["train"]])
    assert len(drawn["validation"]) == validation
    assert len(set(together)) == validation + train
    assert together.min() >= 0
    assert together.max() < available
    assert all(np.all(np.diff(indices) > 0) for indices in drawn.values())


def test_the_same_seed_draws_the_same_and_another_seed_another() -> None:
    first, again, other = (splits.draw(100, {"train": 50}, seed)["train"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_a_smaller_training_split_leaves_validation_alone() -> None:
    large = splits.draw(100, {"validation": 20, "train": 80}, seed=1)
    small = splits.draw(100, {"validation": 20, "train": 10}, seed=1)
    np.testing.assert_array_equal(large["validation"], small["validation"])


def test_more_indices_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="11 indices cannot be drawn from 10"):
        splits.draw(10, {"validation": 5, "train": 6}, seed=1)


def test_pixels_become_float32_between_0_and_1() -> None:
    images = splits.normalise(np.array([[[0, 51, 255]]], np.uint8))
    assert images.dtype == np.float32
    assert images.shape == (1, 1, 3, 1)
    np.testing.assert_allclose(images.ravel(), [0, 0.2, 1], rtol=1e-6)
    assert images.max() == 1


def test_a_written_split_is_mapped_not_loaded(tmp_path: Path) -> None:
    source = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2)
    splits.write(tmp_path, "train", source, np.arange(5, dtype=np.uint8), np.array([1, 3]))
    splits.write_class_names(tmp_path, ["coat", "bag", "shirt", "boot"])
    images = splits.images(tmp_path, "train")
    assert isinstance(images, np.memmap)
    np.testing.assert_array_equal(images, splits.normalise(source[[1, 3]]))
    np.testing.assert_array_equal(splits.labels(tmp_path, "train"), [1, 3])
    np.testing.assert_array_equal(np.load(tmp_path / "train_indices.npy"), [1, 3])


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'"])
def test_a_missing_or_cut_file_is_named_with_its_fix(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "train_images.npy").write_bytes(content)
    with pytest.raises(UserError, match=r"train_images\.npy cannot be read.*dvc repro --force prepare"):
        splits.images(tmp_path, "train")


def write(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    np.save(folder / "train_images.npy", images)
    np.save(folder / "train_labels.npy", labels)
    splits.write_class_names(folder, ["coat", "bag"])


GOOD = np.linspace(0, 1, 2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 1)
BOTH = np.array([0, 1], np.uint8)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (GOOD * 255, "values from 0 to 255 in images 0 to 1, but float32"),
        (GOOD - 1, "values from -1 to 0 in images"),
        (np.where(GOOD == 1, np.nan, GOOD).astype(np.float32), "values from nan to nan in images"),
        (np.where(GOOD == 1, np.inf, GOOD).astype(np.float32), "values from 0 to inf in images"),
        (GOOD.astype(np.float64), r"float64 \(2, 3, 3, 1\)"),
        ((GOOD * 255).astype(np.uint8), r"uint8 \(2, 3, 3, 1\)"),
        (GOOD[..., 0], r"float32 \(2, 3, 3\)"),
        (np.repeat(GOOD, 3, axis=3), r"float32 \(2, 3, 3, 3\)"),
    ],
)
def test_images_that_are_no_grey_values_from_0_to_1_are_refused(
    images: np.ndarray, message: str, tmp_path: Path
) -> None:
    write(tmp_path, images, BOTH)
    with pytest.raises(UserError, match=rf"train_images\.npy holds {message}.*Make it again: dvc repro"):
        splits.images(tmp_path, "train")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (BOTH.astype(np.int64), r"int64 \(2,\)"),
        (BOTH[:, np.newaxis], r"uint8 \(2, 1\)"),
        (BOTH + np.uint8(1), "the label 2, and 2 classes"),
    ],
)
def test_labels_that_name_no_class_are_refused(labels: np.ndarray, message: str, tmp_path: Path) -> None:
    write(tmp_path, GOOD, labels)
    with pytest.raises(UserError, match=rf"train_labels\.npy holds {message}"):
        splits.labels(tmp_path, "train")


@pytest.mark.parametrize("content", [None, "{", '{"a": 1}', "[1]"])
def test_class_names_that_are_no_names_are_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "class_names.json").write_text(content)
    with pytest.raises(UserError, match=r"class_names\.json .*Make it again: dvc repro"):
        splits.class_names(tmp_path)
