"""Prepared images: written by samples, mapped from the disk, and checked when they are read."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from cae.core import files
from cae.core.errors import UserError
from cae.datasets import prepared
from cae.datasets.prepared import SampleInfo
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.samples import Entry, Sample, Source
from cae.datasets.splits import Splits
from cae.datasets.tiles import Tiling

Pixels = np.ndarray
TILED = Preprocessing(tiling=Tiling(12, 12))


def make_source(samples: Callable[[], Iterator[Sample]]) -> Source:
    return Source(Path("source"), "image files", [Entry("all.tif", samples)])


def yield_samples(labels: Sequence[str | None]) -> Iterator[Sample]:
    """Yield images that grow, each of a grey value of its own."""
    for index, label in enumerate(labels):
        pixels = np.full((12, 12 + 12 * index), 10 * index, np.uint8)
        yield Sample(f"all.tif#{index}", pixels, label, group="all.tif")


def write(folder: Path, labels: Sequence[str | None], splits: Sequence[str]) -> list[SampleInfo]:
    source = make_source(lambda: yield_samples(labels))
    described = prepared.describe_samples(source, TILED)
    samples = [sample._replace(split=split) for sample, split in zip(described, splits, strict=True)]
    prepared.write(folder, source, TILED, samples)
    return samples


# Written by samples


def test_tiles_are_written_by_splits_in_the_order_of_their_samples(tmp_path: Path) -> None:
    samples = write(tmp_path, [None, "a", "b", None], ["train", "test", "train", "test"])
    assert prepared.read_samples(tmp_path) == samples
    train = prepared.read_split(tmp_path, "train")
    assert isinstance(train.images, np.memmap)
    assert [sample.name for sample in train.samples] == ["all.tif#0", "all.tif#2"]
    greys = [np.unique(tiles * 255).round().tolist() for _, tiles in train.iterate()]
    assert [len(tiles) for _, tiles in train.iterate()] == [1, 3]
    assert greys == [[0], [20]]
    assert len(prepared.read_images(tmp_path, "validation")) == 0
    files.write_json(tmp_path / "expected.json", [sample._asdict() for sample in samples])
    assert (tmp_path / prepared.SAMPLES).read_bytes() == (tmp_path / "expected.json").read_bytes()


def test_names_that_are_not_utf_8_come_back(tmp_path: Path) -> None:
    source = make_source(lambda: iter([Sample("\udcff", np.zeros((12, 12), np.uint8), group="é")]))
    samples = [one._replace(split="train") for one in prepared.describe_samples(source, TILED)]
    prepared.write(tmp_path, source, TILED, samples)
    assert prepared.read_samples(tmp_path) == samples


def test_normal_images_are_found_by_their_tiles(tmp_path: Path) -> None:
    samples = [
        sample._replace(normal=sample.label == "a")
        for sample in write(tmp_path, ["b", "a", "a"], ["test", "test", "test"])
    ]
    split = prepared.PreparedSplit(prepared.read_images(tmp_path, "test"), samples)
    assert split.find_normal().tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("labels", [["a"], ["a", "b", "b"], ["b", "b"]], ids=["fewer", "more", "others"])
def test_a_source_that_changes_while_it_is_read_leaves_the_old_files(
    tmp_path: Path, labels: list[str]
) -> None:
    (samples_file := tmp_path / prepared.SAMPLES).write_text("the old ones")
    before = make_source(lambda: yield_samples(["a", "b"]))
    samples = [one._replace(split="train") for one in prepared.describe_samples(before, TILED)]
    after = make_source(lambda: yield_samples(labels))
    with pytest.raises(UserError, match="changed while it was read: run again"):
        prepared.write(tmp_path, after, TILED, samples)
    assert samples_file.read_text() == "the old ones"
    assert list(tmp_path.iterdir()) == [samples_file]


@pytest.mark.parametrize("window", [(0.0, 255.0), None])
def test_types_may_differ_where_a_window_is_in_physical_units(window: tuple[float, float] | None) -> None:
    pixels = [np.zeros((12, 12), "u2"), np.zeros((12, 12), "f4")]
    source = make_source(lambda: (Sample(str(one.dtype), one) for one in pixels))
    source.calibrated = True
    preprocessing = Preprocessing(window=window)
    if window:
        assert len(prepared.describe_samples(source, preprocessing)) == 2
    else:
        with pytest.raises(UserError, match=r"has the data type uint16 and 'float32' .* set a window"):
            prepared.describe_samples(source, preprocessing)


# Classes


def test_classes_are_sorted_and_every_tile_has_a_label(tmp_path: Path) -> None:
    write(tmp_path, ["b", "a", "b"], ["train", "validation", "test"])
    classes = prepared.read_classes(tmp_path)
    assert classes is not None
    assert classes.names == ("a", "b")
    assert [labels.tolist() for labels in classes.labels] == [[1], [0, 0], [1, 1, 1]]
    assert not classes.learnable


def test_there_are_no_classes_where_an_image_has_no_label(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b", None], ["train", "validation", "test"])
    assert prepared.read_classes(tmp_path) is None


@pytest.mark.parametrize("count", [0, 1, 2, 255, 256])
def test_fewer_than_two_classes_or_more_than_bytes_can_count_are_none(tmp_path: Path, count: int) -> None:
    (sample,) = prepared.describe_samples(make_source(lambda: yield_samples([None])), TILED)
    samples = [sample._replace(split="train", label=str(label)) for label in range(count)]
    files.write_json(tmp_path / prepared.SAMPLES, [one._asdict() for one in samples or [sample]])
    assert (prepared.read_classes(tmp_path) is None) is (count not in (2, 255))


# Fashion-MNIST

GOOD = np.linspace(0, 1, 2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 1)
LABELS = np.array([0, 1], np.uint8)


def write_labelled(folder: Path, images: Pixels = GOOD, labels: Pixels = LABELS) -> None:
    for split in Splits._fields:
        files.write_array(folder / f"{split}_images.npy", images)
        files.write_array(folder / f"{split}_labels.npy", labels)
    files.write_json(folder / prepared.CLASS_NAMES, ["coat", "bag"])


def test_pixels_become_float32_between_0_and_1() -> None:
    images = prepared.normalise(np.array([[[0, 51, 255]]], np.uint8))
    assert images.dtype == np.float32
    assert images.shape == (1, 1, 3, 1)
    np.testing.assert_allclose(images.ravel(), [0, 0.2, 1], rtol=1e-6)
    assert images.max() == 1


def test_every_image_of_fashion_mnist_is_a_normal_sample(tmp_path: Path) -> None:
    write_labelled(tmp_path)
    split = prepared.read_split(tmp_path, "test")
    assert [sample.name for sample in split.samples] == ["test#0", "test#1"]
    assert split.find_normal().tolist() == [0, 1]
    classes = prepared.read_classes(tmp_path)
    assert classes is not None
    assert classes.names == ("coat", "bag")
    assert classes.learnable


# Checked when they are read


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'"])
def test_a_missing_or_cut_file_is_named_with_its_fix(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "train_images.npy").write_bytes(content)
    with pytest.raises(UserError, match=r"train_images\.npy cannot be read.*dvc repro --force prepare"):
        prepared.read_images(tmp_path, "train")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (GOOD * 255, "values from 0 to 255 in images from 0 on, but float32"),
        (GOOD - 1, "values from -1 to 0 in images"),
        (np.where(GOOD == 1, np.nan, GOOD).astype(np.float32), "values from nan to nan in images"),
        (np.where(GOOD == 1, np.inf, GOOD).astype(np.float32), "values from 0 to inf in images"),
        (GOOD.astype(np.float64), r"float64 \(2, 3, 3, 1\)"),
        ((GOOD * 255).astype(np.uint8), r"uint8 \(2, 3, 3, 1\)"),
        (GOOD[..., 0], r"float32 \(2, 3, 3\)"),
    ],
)
def test_images_other_than_those_of_prepare_are_refused(tmp_path: Path, images: Pixels, message: str) -> None:
    write_labelled(tmp_path, images)
    with pytest.raises(UserError, match=rf"train_images\.npy holds {message}.*Make it again: dvc repro"):
        prepared.read_images(tmp_path, "train")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS.astype(np.int64), r"int64 \(2,\)"),
        (LABELS[:, np.newaxis], r"uint8 \(2, 1\)"),
        (LABELS + np.uint8(1), "the label 2, but there are 2 classes"),
    ],
)
def test_labels_of_no_class_are_refused(labels: Pixels, message: str, tmp_path: Path) -> None:
    write_labelled(tmp_path, labels=labels)
    with pytest.raises(UserError, match=rf"train_labels\.npy holds {message}"):
        prepared.read_labels(tmp_path, "train")


@pytest.mark.parametrize("content", [None, "{", '{"a": 1}', "[1]"])
@pytest.mark.parametrize(
    ("name", "read"),
    [(prepared.CLASS_NAMES, prepared.read_class_names), (prepared.SAMPLES, prepared.read_samples)],
)
def test_lists_that_do_not_hold_what_they_should_are_refused(
    tmp_path: Path, name: str, read: Callable[[Path], object], content: str | None
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=rf"{name} .*Make it again: dvc repro"):
        read(tmp_path)
