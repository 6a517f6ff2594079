"""The stage, the command and the exported models give the same scores of all test images of two studies."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from cae.cli.app import app

ROOT = Path(__file__).parents[2]
STUDIES = [
    pytest.param(
        ROOT / "studies" / name,
        id=name,
        marks=pytest.mark.skipif(
            not (ROOT / "studies" / name / "data/scores.csv").exists(), reason="run the study first"
        ),
    )
    for name in ("industrial", "medical")
]
# Scores are relative, the pixels of error maps of probabilities are not.
SCORES: Mapping[str, Any] = {"rtol": 1e-4}
ERRORS: Mapping[str, Any] = {"rtol": 1e-4, "atol": 1e-6}


def read_test(study: Path) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    """Read what the stage wrote of all test images, and their pixels."""
    table = pd.read_csv(study / "data/scores.csv", index_col="name")
    pixels = [np.asarray(Image.open(study / "data/images" / name), np.float32) for name in table.index]
    return table, np.stack(pixels)[..., np.newaxis]


def run(*arguments: object) -> None:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


def check(found: Mapping[str, Any], table: pd.DataFrame, errors: npt.NDArray[np.float32]) -> None:
    np.testing.assert_allclose(found["score"], table["segmentation"], **SCORES)
    np.testing.assert_allclose(found["error"], errors, **ERRORS)
    np.testing.assert_array_equal(found["anomaly"], table["anomaly"] == 1)


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_all_ways_to_score_give_the_same_scores(study: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    table, pixels = read_test(study)
    detector = study / "models/detector.keras"
    run("score", study / "data/images", "--model", detector, "--out", tmp_path / "scores.csv")
    by_command = pd.read_csv(tmp_path / "scores.csv", index_col="name").loc[table.index]
    np.testing.assert_allclose(by_command["score"], table["segmentation"], **SCORES)
    assert by_command["anomaly"].tolist() == table["anomaly"].tolist()
    model = keras.saving.load_model(detector)
    outputs = model.predict(pixels, verbose=0)
    check(outputs, table, outputs["error"])
    run("export", "--model", detector, "--out", tmp_path / "detector.onnx")
    session = onnxruntime.InferenceSession((tmp_path / "detector.onnx").read_bytes())
    names = [output.name for output in session.get_outputs()]
    check(dict(zip(names, session.run(None, {"pixels": pixels}))), table, outputs["error"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["threshold"]) == pytest.approx(
        pd.read_csv(study / "tables/detection.csv", index_col="method").loc["segmentation", "threshold"]
    )
