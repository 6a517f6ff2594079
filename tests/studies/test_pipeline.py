"""The pipeline with other parameters."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from stages.inputs import Inputs

from cae.core import files, params
from cae.core.errors import UserError
from cae.engine import training
from cae.networks.autoencoder import load
from stages import PREPARED
from studies import pipeline
from tests.pipeline.conftest import ROOT

SETTINGS = params.load(ROOT / "params.yaml")


def test_values_are_changed_where_they_are_named_and_nowhere_else() -> None:
    changed = pipeline.changed(SETTINGS, {"model.name": "residual", "train.seed": 7})
    assert (changed.model.name, changed.train.seed) == ("residual", 7)
    back = {"model.name": SETTINGS.model.name, "train.seed": SETTINGS.train.seed}
    assert pipeline.changed(changed, back) == SETTINGS


def test_a_wrong_value_is_refused() -> None:
    with pytest.raises(ValidationError, match="code_size"):
        pipeline.changed(SETTINGS, {"model.residual.code_size": 0})


STUDY = Path("studies/some")
SMALL = pipeline.changed(
    SETTINGS, {"train.epochs": 2, "model.convolutional.filters": [4, 2, 1], "train.engine": "stock"}
)


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """What a stage of a study depends on, in a project of few images."""
    monkeypatch.chdir(tmp_path)
    for name in ("train", "validation"):
        images = np.random.default_rng(0).random((40, 12, 12, 1), np.float32)
        files.write_array(PREPARED / f"{name}_images.npy", images)
    STUDY.mkdir(parents=True)
    (STUDY / "params.yaml").write_text("value: 1")
    (STUDY / "dvc.yaml").write_text("stages: {train: {deps: [], params: [value]}}")
    return Inputs.read("train", STUDY)


def made() -> dict[str, bytes]:
    """What training wrote for the study."""
    return {str(path): path.read_bytes() for path in STUDY.glob("*/small.*")}


def test_training_writes_a_network_and_its_history_and_leaves_nothing_behind(inputs: Inputs) -> None:
    pipeline.train(STUDY, "small", SMALL, inputs)
    assert set(made()) == {"studies/some/models/small.keras", "studies/some/histories/small.csv"}
    assert load(STUDY / "models/small.keras", (12, 12, 1)).code_size == 4
    assert list(files.read_csv(STUDY / "histories/small.csv")["epoch"]) == [1, 2]
    assert not list(Path(".checkpoints/some").iterdir())


class KillError(Exception):
    """Stands for a kill."""


def watch_epochs(monkeypatch: pytest.MonkeyPatch, killed_at: int) -> list[object]:
    """Kill training in one of all epochs that are begun, counted from 0; the list tells which they are."""
    train_epoch, epochs = training.train_epoch, []

    def train_or_die(*arguments: object) -> object:
        epochs.append(arguments[3])
        if len(epochs) == killed_at + 1:
            raise KillError
        return train_epoch(*arguments)  # type: ignore[arg-type]  # training's own arguments

    monkeypatch.setattr(training, "train_epoch", train_or_die)
    return epochs


def test_a_killed_training_goes_on_after_its_last_finished_epoch(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.train(STUDY, "small", SMALL, inputs)
    whole = made()
    epochs = watch_epochs(monkeypatch, killed_at=1)
    here = Path.cwd()
    with pytest.raises(KillError):
        pipeline.train(STUDY, "small", SMALL, inputs)
    assert Path.cwd() == here
    pipeline.train(STUDY, "small", SMALL, inputs)
    assert epochs == [0, 1, 1]
    assert made() == whole


def test_with_other_inputs_a_killed_training_begins_anew(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = watch_epochs(monkeypatch, killed_at=1)
    with pytest.raises(KillError):
        pipeline.train(STUDY, "small", SMALL, inputs)
    (STUDY / "params.yaml").write_text("value: 2")
    pipeline.train(STUDY, "small", SMALL, Inputs.read("train", STUDY))
    assert epochs == [0, 1, 0, 1]


def test_nothing_is_written_where_an_input_changes_meanwhile(inputs: Inputs) -> None:
    (STUDY / "params.yaml").write_text("value: 2")
    with pytest.raises(UserError, match="value changed while the stage train ran"):
        pipeline.train(STUDY, "small", SMALL, inputs)
    assert not made()
