"""Reconstructions of test images are measured beside the floor, PCA and the mean image."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cae.core.errors import UserError
from cae.datasets import prepared
from stages import baselines, detect, evaluate, prepare
from stages.runner.project import Results
from tests.stages.conftest import draw, run, save, save_images, write_labelled, write_trained

FASHION: Mapping[str, Any] = {"data": {"source": "fashion-mnist"}, "model": {"name": "convolutional"}}
NOISE = {"kind": "gaussian", "strength": 0.3}
GREY = 0.25


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with labelled images, and a network that reconstructs all of them as one grey value."""
    folder = tmp_path_factory.mktemp("project")
    write_labelled(folder)
    run(baselines.baselines, folder, **FASHION)
    write_trained(folder, GREY)
    return folder


def read_table(results: Results) -> pd.DataFrame:
    table: pd.DataFrame = results["plots/reconstruction.csv"]
    return table.set_index("method")


def test_every_method_is_measured_on_the_test_images(project: Path) -> None:
    results = run(evaluate.evaluate, project, **FASHION)
    table = read_table(results)
    assert table.index.tolist() == ["autoencoder", "PCA", "mean image", "floor"]
    assert table["code_size"].tolist() == [32, 4, 0, pd.NA]
    test = prepared.read_images(project / "data/prepared", "test")
    mean = prepared.read_images(project / "data/prepared", "train").mean(axis=0)
    assert table["mse"]["autoencoder"] == pytest.approx(((test - GREY) ** 2).mean(), rel=1e-4)
    assert table["mse"]["mean image"] == pytest.approx(((test - mean) ** 2).mean(), rel=1e-4)
    assert (table["bce"] >= table["bce"]["floor"]).all()
    metrics = json.loads((project / "metrics/evaluate.json").read_text())
    assert metrics == {name: table[name]["autoencoder"] for name in ("bce", "mse", "ssim")} | {
        "mse_over_pca": table["mse"]["autoencoder"] / table["mse"]["PCA"]
    }
    by_class = pd.read_csv(project / "plots/error_by_class.csv")
    assert {"T-shirt/top", "Trouser", "Pullover", "Dress"} <= set(by_class.iloc[:, 0])


def test_where_noise_is_set_denoising_is_measured_against_clean_images(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = read_table(run(evaluate.evaluate, project, **FASHION))
    noise = {"model": {"name": "convolutional", "convolutional": {"augmentations": [NOISE]}}}
    results = run(evaluate.evaluate, project, **{**FASHION, **noise})
    table = read_table(results)
    assert table.index.tolist() == ["autoencoder", "PCA", "mean image", "noisy input", "floor"]
    # What does not depend on its input reconstructs the clean images as before; PCA reconstructs noise, too.
    assert table["mse"][["autoencoder", "mean image"]].equals(clean["mse"][["autoencoder", "mean image"]])
    assert table["mse"]["PCA"] > clean["mse"]["PCA"]
    # Clipping at 0 and 1 makes the noise a little weaker.
    assert 0.5 * 0.3**2 < table["mse"]["noisy input"] < 0.3**2
    assert "denoising noisy test images" in capsys.readouterr().out


@pytest.mark.parametrize("shape", [(23, 31), (23, 31, 3)], ids=["grey", "colour"])
def test_the_error_is_the_mean_score_of_normal_test_images(tmp_path: Path, shape: tuple[int, ...]) -> None:
    for index in range(24):
        save(tmp_path / f"images/{('good', '$bad$')[index % 3 == 0]}/{index}.png", draw(shape, index))
    changes: Mapping[str, Any] = {"data": {"normal": "good"}}
    run(prepare.prepare, tmp_path, **changes)
    run(baselines.baselines, tmp_path, **changes)
    write_trained(tmp_path)
    results = run(evaluate.evaluate, tmp_path, **changes)
    run(detect.detect, tmp_path, **changes)
    scores = pd.read_csv(tmp_path / "data/scores.csv").groupby("class")["reconstruction"].mean()
    assert scores.index.tolist() == ["$bad$", "good"]
    assert results["metrics/evaluate.json"]["mse"] == pytest.approx(scores["good"], rel=1e-5)


def test_images_without_classes_have_no_table_by_class(tmp_path: Path) -> None:
    save_images(tmp_path / "images", 20)
    run(prepare.prepare, tmp_path)
    run(baselines.baselines, tmp_path)
    write_trained(tmp_path)
    results = run(evaluate.evaluate, tmp_path)
    assert not [path for path in results if "class" in path]
    assert "plots/reconstructions/examples.png" in results


def test_a_test_of_anomalous_images_alone_has_scores_but_no_reconstruction_metrics(tmp_path: Path) -> None:
    save_images(tmp_path / "images/train/good", 20)
    save_images(tmp_path / "images/test/broken", 3)
    run(prepare.prepare, tmp_path)
    run(baselines.baselines, tmp_path)
    write_trained(tmp_path)
    results = run(evaluate.evaluate, tmp_path)
    assert results["metrics/evaluate.json"] == {}
    assert set(run(detect.detect, tmp_path)["metrics/detect.json"]) == {"caught"}


@pytest.mark.parametrize("name", ["plots/history.csv", "data/baselines/floors.csv"])
def test_a_file_of_an_earlier_stage_that_is_missing_is_named(
    project: Path, name: str, tmp_path: Path
) -> None:
    copy = shutil.copytree(project, tmp_path / "copy")
    (copy / name).unlink()
    with pytest.raises(UserError, match=rf"{name} cannot be read .* Make it again: dvc repro"):
        run(evaluate.evaluate, copy, **FASHION)


@pytest.mark.parametrize(("lowest", "shown"), [(0.5, None), (0.4, 0.4)])
def test_the_floor_is_drawn_below_all_losses_only(lowest: float, shown: float | None) -> None:
    history = pd.DataFrame({"loss": [0.6, 0.5], "val_loss": [0.7, 0.45]})
    assert evaluate.find_floor_below(history, lowest) == shown
