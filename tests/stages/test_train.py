"""Training: what it starts from, what it reports, and what it refuses before it takes all memory."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cae.core import files
from cae.core.errors import UserError
from cae.networks.model import Model
from stages import train
from tests.stages.conftest import build_network, run, write_labelled

EPOCHS = {"epochs": 3, "patience": 3}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with prepared images, on which a network was trained for three epochs."""
    folder = tmp_path_factory.mktemp("project")
    write_labelled(folder)
    run(train.train, folder, train=EPOCHS)
    return folder


def read_history(project: Path) -> pd.DataFrame:
    return pd.read_csv(project / "plots/history.csv")


def test_the_metrics_are_those_of_the_epoch_with_the_lowest_validation_objective(project: Path) -> None:
    history = read_history(project)
    assert history["epoch"].tolist() == [1, 2, 3]
    best = history.iloc[history["val_objective"].argmin()]
    measured = {name: best[name] for name in ("loss", "val_loss")}
    assert json.loads((project / "metrics/train.json").read_text()) == {
        "best_epoch": best["epoch"],
        **measured,
    }


@pytest.mark.parametrize(
    ("losses", "text"),
    [
        ({"val_loss": [0.5, 0.4]}, "cross-entropy 0.40000"),
        ({"val_loss": [0.5, 0.4], "val_objective": [7.0, 9.0]}, "cross-entropy 0.50000, objective 7.00000"),
    ],
)
def test_the_best_epoch_is_described_by_what_was_minimised(losses: dict[str, Any], text: str) -> None:
    assert train.describe_losses(train.find_best(pd.DataFrame(losses))) == text


def test_training_starts_from_a_saved_network(project: Path, tmp_path: Path) -> None:
    write_labelled(tmp_path)
    files.write_bytes(tmp_path / "start.keras", (project / "models/autoencoder.keras").read_bytes())
    run(train.train, tmp_path, train={"start_from": "start.keras"})
    first, later = (read_history(folder)["loss"][0] for folder in (project, tmp_path))
    assert later < first


def test_weights_of_another_network_are_refused() -> None:
    source, target = (build_network((28, 28, channels)) for channels in (1, 3))
    with pytest.raises(UserError, match=r"train\.start_from has weights of the shapes"):
        train.copy_weights(source, target)


def test_a_network_no_better_than_the_mean_image_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    settings = train.Settings(model=Model(), train=train.Train())
    train.warn_if_nothing_learned(0.3, 0.31, settings)
    assert not capsys.readouterr().err
    train.warn_if_nothing_learned(0.31, 0.31, settings)
    assert "no better than the mean image (validation 0.31000 against 0.31000)" in capsys.readouterr().err


def test_without_dvc_a_run_never_resumes_another_one(project: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(project, tmp_path / "copy")
    results = run(train.train, copy, train={"epochs": 2, "seed": 2})
    assert len(results["plots/history.csv"]) == 2
