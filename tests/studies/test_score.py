"""The choice of the score: it reads no test image, and averages what it measures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from behaviour import examples
from cae.core import files
from cae.metrics import scores
from cae.metrics.score_settings import ScoreSettings
from cae.metrics.scores import NormalTiles, Score
from cae.networks.autoencoder import Autoencoder
from studies.score import defects
from tests.studies.running import copy_study, run_declared

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


def test_training_and_validation_images_alone_are_read(pipeline: Path) -> None:
    copy_study("score", SMALL)
    # There are no test images: reading them would fail.
    for split, count in (("train", 24), ("validation", 6)):
        files.write_array(pipeline / f"studies/medical/data/prepared/{split}_images.npy", IMAGES[:count])
    run_declared("score", "measure", "medical")
    table = pd.read_csv(STUDY / "scores/medical.csv")
    assert set(table["kind"]) == set(defects.KINDS)
    assert table.groupby("network")["score"].nunique().to_dict() == {"convolutional": 5, "discriminative": 6}
    # A rectangle of noise is easy to find, whatever a network has learned.
    assert table.loc[table["kind"] == "noise", "pixel_auroc"].median() > 0.6


def test_images_that_standardise_a_score_are_not_among_those_that_it_is_fitted_to(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_study("score", {**SMALL, "networks": {"convolutional": SMALL["networks"]["convolutional"]}})
    for split, count in (("train", 24), ("validation", 6)):
        files.write_array(pipeline / f"studies/medical/data/prepared/{split}_images.npy", IMAGES[:count])
    fit, fitted = scores.fit, []

    def record_fit(settings: ScoreSettings, autoencoder: Autoencoder, tiles: NormalTiles) -> Score:
        fitted.append(tiles)
        return fit(settings, autoencoder, tiles)

    monkeypatch.setattr(scores, "fit", record_fit)
    run_declared("score", "measure", "medical")
    train, held_out = ({image.tobytes() for image in part} for part in fitted[0])
    assert (len(train), len(held_out)) == (18, 2)
    assert train.isdisjoint(held_out)


@pytest.mark.parametrize("kind", defects.KINDS)
def test_a_defect_changes_the_image_where_its_mask_is(kind: str) -> None:
    drawn = defects.draw_defects(IMAGES, IMAGES, kind, np.random.default_rng(1))
    change = np.abs(drawn.images - IMAGES)[..., 0]
    assert change[drawn.masks].mean() > 5 * change[~drawn.masks].mean()
    steps = drawn.images * 255
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)


@pytest.mark.usefixtures("pipeline")
def test_every_data_set_counts_as_much() -> None:
    copy_study("score", SMALL)
    aurocs = {"industrial": [0.9, 0.5], "medical": [0.6, 0.7], "fashion_mnist": [0.6, 0.9]}
    for data, (nearest, total) in aurocs.items():
        rows = pd.DataFrame({"score": ["nearest", "sum"], "auroc": [nearest, total]})
        rows = rows.assign(network="n", smoothing=1.0, pixel_auroc=0.5)
        kinds = ("spot", "curve") if data == "medical" else ("spot",)
        table = pd.concat([rows.assign(kind=kind) for kind in kinds])
        files.write_csv(STUDY / f"scores/{data}.csv", table)
    run_declared("score", "choose")
    assert pd.read_csv(STUDY / "tables/scores.csv")["auroc"].tolist() == pytest.approx([0.7, 0.7])
    assert json.loads((STUDY / "metrics/score.json").read_text())["auroc"] == pytest.approx(0.7)


def test_the_default_is_the_score_that_was_chosen() -> None:
    chosen = yaml.safe_load((STUDY / "metrics/score.json").read_text())
    custom = yaml.safe_load(Path("custom/params.yaml").read_text())
    assert ScoreSettings().score == chosen["score"] == custom["anomaly"]["score"]
    assert custom["anomaly"]["smoothing"] == chosen["smoothing"]
    assert custom["model"]["name"] == chosen["network"]
