"""A small project of own pictures: every stage as DVC runs it, but in this process."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import yaml
from own import detect, evaluate, prepare, probe, train
from PIL import Image

from tests.pipeline.conftest import ROOT, merged

STAGES = {"prepare": prepare, "train": train, "evaluate": evaluate, "probe": probe, "detect": detect}
SMALL: Mapping[str, Any] = {
    "data": {"source": "images"},
    "model": {
        "name": "residual",
        "convolutional": {"filters": [2, 2, 2], "batch_size": 2},
        "residual": {"code_size": 4, "width": 8, "batch_size": 4},
    },
    "train": {"epochs": 1},
    "anomaly": {"false_alarms": 0.5},
    "split": {"train": 0.4, "validation": 0.2, "threshold": 0.2, "test": 0.2},
}
Pixels = npt.NDArray[Any]
Run = Callable[..., Path]


def drawn(shape: tuple[int, ...], seed: int, dtype: str = "u1") -> Pixels:
    """Draw a picture of few grey values, a slope and a square: something that can be learned."""
    draws = np.random.default_rng(seed)
    rows, columns = np.indices(shape[:2])
    image = rows * draws.uniform(1, 3) + columns * draws.uniform(0, 2)
    top, left = draws.integers(0, shape[0] // 2), draws.integers(0, shape[1] // 2)
    image[top : top + 6, left : left + 6] += 90
    coloured = image if len(shape) == 2 else image[..., np.newaxis] * draws.uniform(0.5, 1, shape[2])
    return np.clip(coloured, 0, 255).astype(dtype)


def write(path: Path, pixels: Pixels) -> None:
    """Write a picture, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run stages of the project in `tmp_path`, with changes of its small parameters; return its folder."""
    monkeypatch.chdir(ROOT)
    settings = yaml.safe_load((ROOT / "own/params.yaml").read_text())

    # The project lies elsewhere, and depends on the same digests.
    declared = (ROOT / "own/dvc.yaml").read_text().replace("../behaviour/", f"{ROOT}/behaviour/")
    (tmp_path / "dvc.yaml").write_text(declared)

    def run_stages(*names: str, **changes: Any) -> Path:
        whole = merged(merged(settings, dict(SMALL)), changes)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(whole))
        monkeypatch.setattr(sys, "argv", ["own", str(tmp_path)])
        for name in names or STAGES:
            # Keras counts layers through a process, and each stage has one of its own.
            keras.utils.clear_session()
            STAGES[name].main()
        return tmp_path

    return run_stages
