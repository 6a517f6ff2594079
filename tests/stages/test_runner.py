"""The runner gives a stage what dvc.yaml declares for it, and writes all of its results or none."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml

from cae.core.config import Section
from cae.core.errors import UserError
from stages import runner
from stages.runner.inputs import Inputs
from stages.runner.project import Project, Results

FIGURE, _ = plt.subplots()


class Codes(Section):
    size: int


class Settings(Section):
    codes: Codes


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a stage `encode` that is run for several sizes."""
    monkeypatch.chdir(tmp_path)
    stage = {
        "cmd": "python -m stages encode ${item.size}",
        "deps": ["images"],
        "params": ["codes"],
        "outs": ["codes/${item.size}", "figure.png", "table.csv"],
        "metrics": ["metrics.json"],
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"encode": stage}}))
    Path("params.yaml").write_text("codes: {size: 8}")
    Path(".dvcignore").touch()
    Path("images").mkdir()
    Path("images/1.png").write_text("an image")
    return Project(Path(), Inputs.read("encode", arguments=["16"]))


def list_files() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


def encode(project: Project, settings: Settings, size: int) -> Results:
    assert project.path("images/1.png").read_text() == "an image"
    assert (settings.codes.size, size) == (8, 16)
    project.checkpoint().save(build_state())
    return {
        "codes/16": partial(write_folder, content="a code"),
        "figure.png": FIGURE,
        "table.csv": pd.DataFrame({"size": [8]}),
        "metrics.json": {"size": 8},
        "other.npy": np.zeros(2),
    }


def write_folder(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text(content)


def build_state() -> Any:
    from cae.engine.checkpoints import State

    return State({"weights": []}, {})


def test_a_stage_gets_its_settings_and_arguments_and_declared_results_are_written(project: Project) -> None:
    before = list_files()
    runner.call(encode, project, ["16"])
    assert list_files() - before == {"codes/16/1.txt", "figure.png", "table.csv", "metrics.json"}
    assert Path("table.csv").read_text() == "size\n8\n"
    assert not project.checkpoints.exists()


def test_without_results_nothing_is_written_and_checkpoints_are_kept(project: Project) -> None:
    def train(project: Project) -> Results:
        project.checkpoint().save(build_state())
        return {}

    runner.call(train, project, [])
    assert list(project.checkpoints.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("codes: {size: 8, sise: 9}", "codes.sise is not a known key"),
        ("codes: {}", "codes.size is missing"),
        ("{}", "codes is missing"),
    ],
)
def test_settings_are_exactly_what_the_stage_needs(project: Project, content: str, message: str) -> None:
    Path("params.yaml").write_text(content)
    with pytest.raises(UserError, match=message):
        runner.call(encode, Project(Path(), Inputs.read("encode", arguments=["16"])), ["16"])


def raise_error(_: Path) -> NoReturn:
    raise UserError("the disk is full")


def edit_input(_: Path) -> None:
    Path("images/1.png").write_text("another image")


@pytest.mark.parametrize(
    ("last", "message"), [(raise_error, "disk is full"), (edit_input, "images/1.png changed while")]
)
def test_results_are_written_all_or_none(
    project: Project, last: Callable[[Path], None], message: str
) -> None:
    Path("metrics.json").write_text("the old one")
    before = list_files()

    def encode(project: Project) -> Results:
        whole = {"codes/16": partial(write_folder, content="a code"), "figure.png": FIGURE}
        return {**whole, "metrics.json": {"size": 8}, "table.csv": partial(last)}

    with pytest.raises(UserError, match=message):
        runner.call(encode, project, [])
    assert Path("metrics.json").read_text() == "the old one"
    assert list_files() == before


def test_a_declared_result_that_a_stage_does_not_return_is_named(project: Project) -> None:
    def encode_without_metrics(project: Project, settings: Settings, size: int) -> Results:
        results = dict(encode(project, settings, size))
        del results["metrics.json"]
        return results

    with pytest.raises(UserError, match=r"encode did not return metrics\.json, which dvc\.yaml declares"):
        runner.call(encode_without_metrics, project, ["16"])
    assert not Path("table.csv").exists()


@pytest.mark.parametrize("arguments", [[], ["16", "17"]])
def test_a_wrong_number_of_arguments_is_refused(project: Project, arguments: list[str]) -> None:
    with pytest.raises(UserError, match=rf"takes 1 argument \(size\), but got {len(arguments)}"):
        runner.call(encode, project, arguments)


def test_a_folder_that_cannot_be_written_is_named(project: Project) -> None:
    Path("codes").write_text("a file in the place of the folder")
    with pytest.raises(UserError, match=r"codes/16/1\.txt could not be written"):
        runner.call(encode, project, ["16"])
    assert not Path("metrics.json").exists()


def test_an_input_that_is_not_declared_is_refused(project: Project) -> None:
    with pytest.raises(UserError, match=r"the stage encode depends on models: add `- models` to its deps"):
        project.path("models")
    assert Project().path("models") == Path("models")
    alias = Project(Path("studies/rate"), aliases={"data/prepared": "../../data/prepared"})
    assert alias.path("data/prepared") == Path("data/prepared")


def fail() -> NoReturn:
    raise UserError("train.epochs is -1: write a number from 1")


def test_a_mistake_of_the_user_ends_with_one_message_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as raised:
        runner.execute(fail)
    assert raised.value.code == "error: train.epochs is -1: write a number from 1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_its_exit_code_after_clean_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    # Ends the process without unwinding the stack, which a test must survive.
    monkeypatch.setattr(os, "_exit", sys.exit)
    steps = []

    def work() -> None:
        try:
            signal.raise_signal(number)
        finally:
            steps.append("clean up")

    try:
        with pytest.raises(SystemExit) as raised:
            runner.execute(work)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert raised.value.code == 128 + number
    assert steps == ["clean up"]
    assert f"stopped by {number.name}: no incomplete file was left" in capsys.readouterr().err
