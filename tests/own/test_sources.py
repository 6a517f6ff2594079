"""Every kind of source, and any size, goes through prepare, train, evaluate, probe and detect."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cae.datasets import prepared
from checks.fuzz import dicom, nifti
from tests.own.conftest import Recipe, drawn, write

SHAPE = (28, 28)


def flat(root: Path) -> None:
    for index in range(15):
        write(root / f"{index}.png", drawn(SHAPE, index))


def of_two_classes(root: Path) -> None:
    for index in range(24):
        write(root / ("odd" if index % 2 else "even") / f"{index}.png", drawn(SHAPE, index))


def in_parts(root: Path) -> None:
    for index in range(12):
        write(root / ("train", "train", "val", "test")[index % 4] / f"{index}.jpg", drawn(SHAPE, index))


def mvtec(root: Path) -> None:
    for index in range(12):
        write(root / "train/good" / f"{index}.png", drawn(SHAPE, index))
    for index in range(3):
        write(root / "test/good" / f"{index}.png", drawn(SHAPE, 100 + index))
        spoilt, mask = drawn(SHAPE, 200 + index), np.zeros(SHAPE, np.uint8)
        spoilt[10:14, 10:14], mask[10:14, 10:14] = 255, 255
        write(root / "test/spot" / f"{index}.png", spoilt)
        write(root / "ground_truth/spot" / f"{index}_mask.png", mask)


def medmnist(root: Path) -> None:
    arrays: dict[str, Any] = {}
    for part, count in (("train", 8), ("val", 4), ("test", 4)):
        arrays[f"{part}_images"] = np.stack([drawn((*SHAPE, 3), count * 10 + i) for i in range(count)])
        arrays[f"{part}_labels"] = np.arange(count)[:, np.newaxis] % 2
    np.savez(root.with_suffix(".npz"), allow_pickle=False, **arrays)
    root.with_suffix(".npz").rename(root)


def idx(root: Path) -> None:
    root.mkdir()
    for part, count in (("train", 10), ("t10k", 4)):
        images = np.stack([drawn(SHAPE, count * 10 + index) for index in range(count)])
        header = np.array([0x803, count, *SHAPE], ">i4").tobytes()
        (root / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        header = np.array([0x801, count], ">i4").tobytes()
        labels = (np.arange(count) % 2).astype("u1").tobytes()
        (root / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels))


def dicoms(root: Path) -> None:
    root.mkdir()
    for index in range(12):
        pixels = drawn(SHAPE, index, "u2")
        (root / f"{index}.dcm").write_bytes(dicom(pixels, PatientID=f"patient {index // 2}"))


def niftis(root: Path) -> None:
    root.mkdir()
    for index in range(6):
        volume = np.stack([drawn(SHAPE, 10 * index + place, "i2") for place in range(3)], axis=-1)
        (root / f"{index}.nii").write_bytes(nifti(volume))


SOURCES = {
    "flat": (flat, {}),
    "of two classes": (of_two_classes, {}),
    "in parts": (in_parts, {}),
    "mvtec": (mvtec, {}),
    "medmnist": (medmnist, {}),
    "idx": (idx, {}),
    "dicom": (dicoms, {"window": [0, 255]}),
    "nifti": (niftis, {"window": [0, 255]}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("make", "data"), SOURCES.values(), ids=SOURCES)
def test_every_source_goes_through_all_stages(
    run: Recipe, tmp_path: Path, make: Callable[[Path], None], data: dict[str, object]
) -> None:
    make(tmp_path / "images")
    project = run(data={**data, "source": "images"})
    listed = prepared.pictures(project / "data/prepared")
    assert {picture.side for picture in listed} == {"train", "validation", "threshold", "test"}
    for stage in ("train", "evaluate", "probe", "detect"):
        assert json.loads((project / f"metrics/{stage}.json").read_text()), stage
    scores = pd.read_csv(project / "data/scores.csv")
    assert len(scores) == sum(picture.side == "test" for picture in listed)
    assert np.isfinite(scores["autoencoder"]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "network"),
    [
        ((23, 23), "convolutional"),
        ((23, 23), "residual"),
        ((73, 144), "convolutional"),
        ((100, 100, 3), "convolutional"),
        ((100, 100, 3), "variational"),
        ((458, 690), "convolutional"),
    ],
)
def test_pictures_of_any_size_come_back_in_their_own(
    run: Recipe, tmp_path: Path, shape: tuple[int, ...], network: str
) -> None:
    for index in range(8):
        write(tmp_path / "images" / f"{index}.png", drawn(shape, index))
    project = run(model={"name": network, "variational": {"code_size": 4, "width": 8}})
    (height_and_width,) = {Image.open(path).size[::-1] for path in (project / "data/maps").glob("*.png")}
    assert height_and_width == shape[:2]
    error = json.loads((project / "metrics/evaluate.json").read_text())
    assert 0 < error["mse"] < 1
    assert -1 <= error["ssim"] <= 1
