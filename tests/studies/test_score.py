"""The choice of the score: it reads no test image, and averages what it measures."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from behaviour import examples
from cae.core import config, files
from cae.metrics.score_settings import ScoreSettings
from stages.runner.project import Project
from studies.score import choose, defects, measure
from studies.score.measure import FOLDERS
from tests.studies.running import run

STUDY = Path("studies/score")
IMAGES = np.rint(255 * examples.images(30, 28, 28)).astype(np.float32) / np.float32(255)
SMALL: dict[str, Any] = {
    "networks": {
        "convolutional": {"name": "convolutional", "convolutional": {"filters": [4, 3, 2]}},
        "discriminative": {"name": "discriminative", "discriminative": {"width": 2, "filters": 2}},
    },
    "train": {"epochs": 1},
    "images": 20,
    "validation": 3,
    "draws": 1,
    "smoothing": [1.0],
    "seed": 1,
}


def test_no_stage_declares_a_test_image() -> None:
    pipeline = yaml.safe_load((STUDY / "dvc.yaml").read_text())
    for stage in pipeline["stages"].values():
        images = {Path(path).name for path in stage["deps"] if path.endswith(".npy")}
        assert images <= {"train_images.npy", "validation_images.npy"}
        # A folder would have the test images, too.
        assert not [path for path in stage["deps"] if path.endswith(("data", "prepared"))]


@pytest.mark.parametrize("data", ["medical"])
def test_training_and_validation_images_alone_are_read(tmp_path: Path, data: str) -> None:
    folder = tmp_path / "studies/score" / FOLDERS[data]
    # There are no test images: reading them would fail.
    for split, count in (("train", 24), ("validation", 6)):
        files.write_array(folder.resolve() / f"{split}_images.npy", IMAGES[:count])
    (tmp_path / "studies/score").mkdir(parents=True, exist_ok=True)
    settings = config.validate(SMALL, measure.Settings, Path("params.yaml"))
    results = run(measure.measure, Project(tmp_path / "studies/score"), settings, data)
    table = results[f"scores/{data}.csv"]
    assert set(table["kind"]) == set(defects.KINDS)
    assert table.groupby("network")["score"].nunique().to_dict() == {"convolutional": 5, "discriminative": 6}
    assert table[["auroc", "pixel_auroc"]].to_numpy().min() >= 0


@pytest.mark.parametrize("kind", defects.KINDS)
def test_a_defect_changes_the_image_where_its_mask_is(kind: str) -> None:
    drawn = defects.draw_defects(IMAGES, IMAGES, kind, np.random.default_rng(1))
    change = np.abs(drawn.images - IMAGES)[..., 0]
    assert change[drawn.masks].mean() > 5 * change[~drawn.masks].mean()
    steps = drawn.images * 255
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)


def test_every_data_set_counts_as_much(tmp_path: Path) -> None:
    for data, aurocs in zip(FOLDERS, ([0.9, 0.5], [0.6, 0.7], [0.6, 0.9])):
        rows = [
            {
                "network": "n",
                "score": score,
                "smoothing": 1.0,
                "kind": kind,
                "pixel_auroc": 0.5,
                "auroc": auroc,
            }
            for score, auroc in zip(("nearest", "sum"), aurocs)
            for kind in (("spot", "curve") if data == "medical" else ("spot",))
        ]
        files.write_csv(tmp_path / f"scores/{data}.csv", pd.DataFrame(rows))
    results = run(choose.choose, Project(tmp_path))
    assert results["tables/scores.csv"]["auroc"].tolist() == pytest.approx([0.7, 0.7])
    assert math.isclose(results["metrics/score.json"]["auroc"], 0.7)


def test_the_default_is_the_score_that_was_chosen() -> None:
    chosen = yaml.safe_load((STUDY / "metrics/score.json").read_text())
    custom = yaml.safe_load(Path("custom/params.yaml").read_text())
    assert ScoreSettings().score == chosen["score"] == custom["anomaly"]["score"]
    assert custom["anomaly"]["smoothing"] == chosen["smoothing"]
    assert custom["model"]["name"] == chosen["network"]
