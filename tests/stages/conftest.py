"""Tiny projects: images of a slope and a square, and networks that no training made."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import Image

from behaviour.stages import call_stage
from cae.core import files
from cae.datasets import prepared
from cae.datasets.fashion_mnist import CLASS_NAMES
from cae.networks import convolutional
from stages import runner
from stages.runner.inputs import is_within, list_outputs
from stages.runner.project import Project, Results
from tests import ROOT

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "anomaly": {"score": "reconstruction", "false_alarms": 0.5},
    "baselines": {"components": 4},
    "data": {"source": "images"},
    "embedding": {"images": 16, "neighbours": 1, "perplexity": 2.0},
    "model": {"name": "residual", "residual": {"code_size": 4, "width": 8, "batch_size": 4}},
    "probes": {"labels_per_class": [], "seeds": [1], "regularisation": [1.0], "neighbours": 1},
    "split": {"train": 0.4, "validation": 0.2, "threshold": 0.2, "test": 0.2},
    "train": {"epochs": 1},
}
HISTORY = "epoch,loss,val_loss,learning_rate\n1,0.7,0.69,0.002\n2,0.6,0.61,0.001\n"
Pixels = npt.NDArray[Any]


def run(stage: Callable[..., Results], folder: Path, **changes: Mapping[str, Any]) -> Results:
    """Call a stage with tiny settings, some of them changed, and write its results.

    Whatever the images are, it has to return every output that dvc.yaml declares. Figures are not written:
    that takes long, and tests/figures and the digests in behaviour/ cover them.
    """
    settings = {name: {**section, **changes.get(name, {})} for name, section in SETTINGS.items()}
    results = call_stage(stage, Project(folder), settings)
    pipeline = "dvc.yaml" if changes.get("data", {}).get("source") == "fashion-mnist" else "custom/dvc.yaml"
    declared = yaml.safe_load((ROOT / pipeline).read_text())["stages"][stage.__name__]
    for output in list_outputs(declared):
        assert any(is_within(path, [output]) for path in results), output
    for path, content in results.items():
        if not path.endswith(".png"):
            runner.write_result(folder / path, content)
    return results


def draw(shape: tuple[int, ...], seed: int, dtype: str = "u1") -> Pixels:
    """Draw a slope and a square, grey (H, W) or in colour (H, W, 3)."""
    generator = np.random.default_rng(seed)
    rows, columns = np.indices(shape[:2])
    image = rows * generator.uniform(1, 3) + columns * generator.uniform(0, 2)
    top, left = generator.integers(0, shape[0] // 2), generator.integers(0, shape[1] // 2)
    image[top : top + 6, left : left + 6] += 90
    coloured = image if len(shape) == 2 else image[..., np.newaxis] * generator.uniform(0.5, 1, shape[2])
    return np.clip(coloured, 0, 255).astype(dtype)


def save(path: Path, pixels: Pixels) -> None:
    """Write an image, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def save_images(folder: Path, count: int, shape: tuple[int, ...] = (23, 23)) -> None:
    """Write images that differ."""
    for index in range(count):
        save(folder / f"{index}.png", draw(shape, index))


def build_network(shape: tuple[int, ...], grey: float | None = None) -> keras.Model:
    """Build an untrained network or, with `grey`, one that reconstructs every image as that grey value."""
    network = convolutional.build(convolutional.Settings(filters=(4, 3, 2)), shape, 1).network
    if grey is not None:
        *weights, bias = network.get_weights()
        constants = [np.zeros_like(weight) for weight in weights]
        network.set_weights([*constants, np.full_like(bias, np.log(grey / (1 - grey)))])
    return network


def write_trained(folder: Path, grey: float | None = None) -> None:
    """Write what training would have written."""
    shape = prepared.read_images(folder / "data/prepared", "train").shape[1:]
    (folder / "models").mkdir(exist_ok=True)
    files.write_model(folder / "models/autoencoder.keras", build_network(shape, grey))
    files.write_bytes(folder / "plots/history.csv", HISTORY.encode())


def write_labelled(folder: Path, seed: int = 0) -> None:
    """Write prepared images as those of Fashion-MNIST: noise in four shades, which are their classes."""
    generator = np.random.default_rng(seed)
    for split, count in (("train", 48), ("validation", 16), ("test", 24)):
        labels = (np.arange(count) % 4).astype(np.uint8)
        images = generator.random((count, 28, 28, 1), np.float32) * (labels[:, None, None, None] + 3) / 8
        files.write_array(folder / f"data/prepared/{split}_images.npy", images.astype(np.float32))
        files.write_array(folder / f"data/prepared/{split}_labels.npy", labels)
    files.write_json(folder / "data/prepared/class_names.json", list(CLASS_NAMES))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Twenty images of 23 × 23."""
    save_images(tmp_path / "images", 20)
    return tmp_path / "images"
