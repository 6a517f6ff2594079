"""Images of every kind of source are split so that nothing leaks; what would fail later is refused."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cae.core.errors import UserError
from cae.datasets import fashion_mnist, prepared
from cae.datasets.fashion_mnist import FashionMnist
from cae.datasets.prepared import SampleInfo
from checks.fuzz import make_dicom, make_nifti
from stages import prepare
from tests.stages.conftest import draw, run, save, save_images

SHAPE = (28, 28)
FASHION = {"source": "fashion-mnist"}


def prepare_samples(folder: Path, **changes: dict[str, Any]) -> list[SampleInfo]:
    """Run the stage, and describe the samples that it wrote."""
    run(prepare.prepare, folder, **changes)
    return prepared.read_samples(folder / "data/prepared")


# Kinds of sources


def write_classes(root: Path) -> None:
    for index in range(24):
        save(root / ("odd" if index % 2 else "even") / f"{index}.png", draw(SHAPE, index))


def write_splits(root: Path) -> None:
    for index in range(12):
        save(root / ("train", "train", "val", "test")[index % 4] / f"{index}.jpg", draw(SHAPE, index))


def write_mvtec(root: Path) -> None:
    save_images(root / "train/good", 12, SHAPE)
    for folder in ("test/good", "test/spot"):
        save_images(root / folder, 3, SHAPE)
    for index in range(3):
        save(root / f"ground_truth/spot/{index}_mask.png", draw(SHAPE, index))


def write_medmnist(root: Path) -> None:
    arrays: dict[str, Any] = {}
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        arrays[f"{split}_images"] = np.stack([draw((*SHAPE, 3), index) for index in range(count)])
        arrays[f"{split}_labels"] = np.arange(count)[:, np.newaxis] % 2
    with root.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def write_idx(root: Path) -> None:
    root.mkdir()
    for split, count in (("train", 10), ("t10k", 4)):
        images = np.stack([draw(SHAPE, index) for index in range(count)])
        header = np.array([0x803, count, *SHAPE], ">i4").tobytes()
        (root / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))


def write_dicom(root: Path) -> None:
    root.mkdir()
    for index in range(16):
        # Scanners store each image in the type that suits its slope.
        tags: Any = {"PatientID": f"patient {index // 2}", "RescaleSlope": "0.5" if index % 2 else "1"}
        (root / f"{index}.dcm").write_bytes(make_dicom(draw(SHAPE, index, "u2"), **tags))


def write_nifti(root: Path) -> None:
    root.mkdir()
    for index in range(6):
        volume = np.stack([draw(SHAPE, 10 * index + place, "i2") for place in range(3)], axis=-1)
        (root / f"{index}.nii").write_bytes(make_nifti(volume))


@pytest.mark.parametrize(
    ("write", "count", "groups"),
    [
        (write_classes, 24, 24),
        (write_splits, 12, 12),
        (write_mvtec, 18, 18),
        (write_medmnist, 16, 16),
        (write_idx, 14, 14),
        (write_dicom, 16, 8),
        (write_nifti, 18, 6),
    ],
)
def test_every_source_is_split_without_leakage(
    tmp_path: Path, write: Callable[[Path], None], count: int, groups: int
) -> None:
    write(tmp_path / "images")
    samples = prepare_samples(tmp_path, data={"window": [0, 255]})
    assert len(samples) == count
    assert {sample.split for sample in samples} == {"train", "validation", "threshold", "test"}
    assert len({sample.group for sample in samples}) == groups
    assert len({(sample.group, sample.split) for sample in samples}) == groups
    for split in prepared.SPLITS:
        images, described = prepared.read_split(tmp_path / "data/prepared", split)
        assert len(images) == len(described)
        assert images.max() > 0.2


def test_fashion_mnist_is_drawn_from_its_training_and_test_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.arange(200, dtype=np.uint8)[:, np.newaxis, np.newaxis] * np.ones((1, 28, 28), np.uint8)
    labels = np.arange(200, dtype=np.uint8) % 10
    source = FashionMnist(pixels, labels, pixels, labels, fashion_mnist.CLASS_NAMES, "a mirror", ())
    monkeypatch.setattr(fashion_mnist, "fetch", lambda folder: source)
    split = {"train": 140, "validation": 20, "test": 30, "threshold": 0.0}
    run(prepare.prepare, tmp_path, data=FASHION, split=split)
    folder = tmp_path / "data/prepared"
    indices = {name: np.load(folder / f"{name}_indices.npy") for name in ("train", "validation", "test")}
    assert [len(drawn) for drawn in indices.values()] == [140, 20, 30]
    assert not set(indices["train"]) & set(indices["validation"])
    for name, drawn in indices.items():
        np.testing.assert_array_equal(prepared.read_images(folder, name), prepared.normalise(pixels[drawn]))
        np.testing.assert_array_equal(prepared.read_labels(folder, name), labels[drawn])
    assert prepared.read_class_names(folder) == fashion_mnist.CLASS_NAMES
    # A smaller training split leaves validation alone.
    run(prepare.prepare, tmp_path, data=FASHION, split={**split, "train": 128})
    np.testing.assert_array_equal(np.load(folder / "validation_indices.npy"), indices["validation"])


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"train": 0.6}, "are numbers of images for fashion-mnist, such as 50000"),
        ({"threshold": 0.1}, "there is no split.threshold"),
        ({"train": 127}, "split.train is 127, but PCA needs at least 128 images"),
        ({"train": 60_000, "validation": 1}, r"split\.train \+ split\.validation is 60001, .* 60,000 images"),
        ({"test": 10_001}, "split.test is 10001, but there are 10,000 test images"),
    ],
)
def test_impossible_numbers_of_images_are_refused(
    tmp_path: Path, split: dict[str, Any], message: str
) -> None:
    counts = {"train": 500, "validation": 100, "test": 100, "threshold": 0.0}
    with pytest.raises(UserError, match=message):
        run(prepare.prepare, tmp_path, data=FASHION, split=counts | split)


# Normal and anomalous images, and whose split it is


def test_a_class_that_is_not_normal_is_for_the_test_alone(tmp_path: Path) -> None:
    write_classes(tmp_path / "images")
    splits = {(sample.label, sample.split) for sample in prepare_samples(tmp_path, data={"normal": "odd"})}
    assert {split for label, split in splits if label == "even"} == {"test"}
    assert {split for label, split in splits if label == "odd"} == set(prepared.SPLITS)


DRAWN = "split: drawn with split.seed 1\n"
KEPT = "split: as in your folders\n"
TEST_KEPT = "split: test as in your folders; train, validation, threshold drawn with split.seed 1"
MOVED = f"{TEST_KEPT}; anomalous images of other folders are in the test, too\n"


@pytest.mark.parametrize(
    ("folders", "normal", "printed"),
    [
        ({"": 15}, None, DRAWN),
        ({"train": 10, "test": 4}, None, f"{TEST_KEPT}\n"),
        ({"train": 4, "val": 2, "threshold": 2, "test": 3}, None, KEPT),
        ({"train/ok": 4, "val/ok": 2, "threshold/ok": 2, "test/ok": 3}, None, KEPT),
        # A folder of anomalous images alone has none for its split.
        ({"train/ok": 20, "test/ok": 3, "val/bad": 4}, "ok", MOVED),
        ({"train/ok": 20, "test/ok": 3, "threshold/bad": 4}, "ok", MOVED),
    ],
    ids=["no folders", "two", "all", "all with classes", "anomalous validation", "anomalous threshold"],
)
def test_splits_of_the_user_are_kept_and_the_others_drawn(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    folders: dict[str, int],
    normal: str | None,
    printed: str,
) -> None:
    for folder, count in folders.items():
        save_images(tmp_path / "images" / folder, count)
    samples = prepare_samples(tmp_path, data={"normal": normal})
    assert {sample.split for sample in samples if sample.normal} == set(prepared.SPLITS)
    for sample in samples:
        if not sample.normal:
            assert sample.split == "test"
        elif sample.given_split not in (None, "train"):
            assert sample.split == sample.given_split
    assert printed in capsys.readouterr().out


def test_a_test_of_anomalous_images_alone_is_kept_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_images(tmp_path / "images/train/good", 20)
    save_images(tmp_path / "images/test/broken", 5)
    samples = prepare_samples(tmp_path)
    assert {sample.label for sample in samples if sample.split == "test"} == {"broken"}
    assert "note: the test has no normal image" in capsys.readouterr().err


# What is noted


def test_images_that_are_nearly_black_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(20):
        save(tmp_path / f"images/{index}.png", draw((23, 23), index, "u2"))
    run(prepare.prepare, tmp_path)
    assert "note: no training pixel is brighter than 0.00" in capsys.readouterr().err
    run(prepare.prepare, tmp_path, data={"window": [0, 255]})
    assert "note" not in capsys.readouterr().err


def test_a_bad_file_is_named_and_can_be_skipped(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "bad.png").write_bytes((images / "1.png").read_bytes()[:60])
    with pytest.raises(UserError, match=r"bad\.png"):
        run(prepare.prepare, tmp_path)
    assert len(prepare_samples(tmp_path, data={"skip_bad": True})) == 20
    assert "bad.png" in capsys.readouterr().err.partition("skipped: ")[2]


def test_images_of_many_sizes_are_cut_into_tiles(tmp_path: Path, images: Path) -> None:
    save(images / "large.png", draw((40, 30), 1))
    with pytest.raises(UserError, match=r"Set a size \(data\.size\) or tiles \(data\.tiles\)"):
        run(prepare.prepare, tmp_path)
    samples = prepare_samples(tmp_path, data={"tiles": {"size": 12, "stride": 12}})
    tiles = {sample.name: sample.tiles for sample in samples}
    assert (tiles["1.png"], tiles["large.png"]) == (4, 12)


# What is refused before any training


def test_a_group_with_normal_and_anomalous_images_is_refused(tmp_path: Path) -> None:
    for index, label in enumerate(["good"] * 9 + ["bad"]):
        path = tmp_path / f"images/{label}/{index}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_dicom(draw(SHAPE, index), PatientID=f"patient {index % 9}"))
    with pytest.raises(UserError, match=r"'patient 0' has images in test and in train"):
        run(prepare.prepare, tmp_path, data={"normal": "good"}, split={"test": 0.05, "train": 0.55})


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    write_mvtec(tmp_path / "images")
    save(tmp_path / "images/ground_truth/spot/0_mask.png", np.zeros((28, 27), np.uint8))
    with pytest.raises(UserError, match="has 28×27 pixels, but its image has 28×28"):
        run(prepare.prepare, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"normal": "odd"}}, "data.normal is 'odd', but the classes in .* are none"),
        ({"split": {"train": 5}}, "are shares of all images, such as 0.6"),
        (
            {"anomaly": {"false_alarms": 0.01}},
            r"4 normal images; .* at least 99 are needed: .*split.threshold",
        ),
        ({"anomaly": {"score": "local"}}, "local compares the outputs of convolutions, but .* has none"),
        ({"anomaly": {"score": "segmentation"}}, "choose model.name discriminative, or another score"),
        ({"anomaly": {"score": "nearest", "neighbours": 9}}, "lower it to at most 8"),
        ({"anomaly": {"score": "sum", "megabytes": 1e-4}}, "anomaly.megabytes is 0.0001: raise it"),
        ({"anomaly": {"score": "knn"}}, "anomaly.score is 'knn': should be 'reconstruction', 'nearest'"),
        ({"data": {"tiles": {"size": 28, "stride": 9}}}, "size is 28, larger than .* lower it to at most 20"),
    ],
)
def test_settings_that_do_not_fit_the_images_are_refused(
    tmp_path: Path, images: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run(prepare.prepare, tmp_path, **changes)
    assert not (tmp_path / "data").exists()


def test_a_threshold_folder_with_too_few_images_is_refused(tmp_path: Path) -> None:
    for folder in ("train", "threshold"):
        save_images(tmp_path / "images" / folder, 9)
    with pytest.raises(UserError, match=r"9 normal images; .* or leave that folder out"):
        run(prepare.prepare, tmp_path, anomaly={"false_alarms": 0.01})


def test_a_test_of_fewer_than_three_images_is_refused(tmp_path: Path) -> None:
    save_images(tmp_path / "images", 10)
    with pytest.raises(UserError, match="the test split has 2 tiles, but at least 3 are needed"):
        run(prepare.prepare, tmp_path)


def test_images_without_a_label_are_refused_where_one_class_is_normal(tmp_path: Path) -> None:
    images = np.zeros((4, 28, 28), np.uint8)
    labels = np.zeros(4, np.uint8)
    np.savez(tmp_path / "images.npz", train_images=images, train_labels=labels, test_images=images)
    with pytest.raises(UserError, match=r"4 images in .* have no label"):
        run(prepare.prepare, tmp_path, data={"source": "images.npz", "normal": "0"})


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 9), "images are 8×9, but .* needs at least 11×11 pixels: ask for a larger size"),
        ((704, 704), r"too many for the matrices of model.residual with a width of .*\(data\.tiles\)"),
    ],
)
def test_images_that_no_stage_could_use_are_refused(
    tmp_path: Path, shape: tuple[int, int], message: str
) -> None:
    for index in range(5):
        save(tmp_path / f"images/{index}.png", np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match=message):
        run(prepare.prepare, tmp_path, model={"residual": {"width": 1024}})
