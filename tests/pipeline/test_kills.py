"""A run that is killed, early or late, goes on and ends in the bytes of the uninterrupted run."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.pipeline.conftest import ENVIRONMENT, Project

# Long enough for kills between two epochs.
EPOCHS = {"train": {"epochs": 150, "patience": 150}}
# Stage → who is killed, and when: once a line is printed or a file is there.
STAGES = {
    "prepare": [("prepare", "data/prepared/*")],
    "baselines": [("baselines", "data/baselines/*")],
    "train": [("train", "epoch 2/"), ("train", "epoch 75/"), ("dvc", "epoch 100/")],
    "evaluate": [("evaluate", "metrics/evaluate*")],
    "probe": [("probe", "metrics/probe*")],
}
TRAINED = ("models/autoencoder.keras", "models/encoder.keras", "metrics/train.json", "plots/history.csv")
RESULTS = ("dvc.lock", "metrics/train.json", "metrics/evaluate.json", "plots/history.csv")


@pytest.fixture(scope="module")
def uninterrupted(new_project: Callable[[], Project]) -> Project:
    project = new_project()
    project.set_params(EPOCHS)
    project.dvc("repro")
    return project


@pytest.fixture
def untrained(uninterrupted: Project, tmp_path: Path) -> Project:
    """A clone in which the data are prepared, and nothing is trained."""
    shutil.copytree(uninterrupted.folder, tmp_path / "project", symlinks=True)
    for name in TRAINED:
        (tmp_path / "project" / name).unlink()
    return Project(tmp_path / "project")


def start(project: Project, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=project.folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def find_process(dvc: subprocess.Popen[str], stage: str) -> psutil.Process | None:
    """Wait until dvc runs a stage and return its process; None if dvc ends first."""
    while dvc.poll() is None:
        for child in list_children(dvc):
            with suppress(psutil.NoSuchProcess):
                if child.cmdline()[1:] == ["-m", "stages", stage]:
                    return child
        time.sleep(0.01)
    return None


def list_children(process: subprocess.Popen[str]) -> Iterator[psutil.Process]:
    """Yield what a process has started and still runs; any of it may end meanwhile."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE and child.cmdline():
                    yield child


def run_and_kill(project: Project, stage: str, victim: str, moment: str) -> bool:
    """Run a stage by dvc and kill the victim, either of them; return whether that ended the run.

    The moment is a line that it prints, a file that it writes or, if empty, its start.
    """
    with start(project, "dvc", "repro", stage) as dvc:
        # dvc too is killed only once the stage runs, which then outlives it.
        running = find_process(dvc, stage)
        assert running is not None, f"dvc ended before {stage} ran"
        if moment.startswith("epoch"):
            assert dvc.stderr is not None
            assert any(line.startswith(moment) for line in dvc.stderr), moment
        elif moment:
            while running.is_running() and not any(project.folder.glob(moment)):
                time.sleep(0.001)
        with suppress(psutil.NoSuchProcess):
            (psutil.Process(dvc.pid) if victim == "dvc" else running).kill()
        # What a killed dvc leaves running is let run: it must do no harm.
        psutil.wait_procs([running])
        dvc.communicate()
    return dvc.returncode != 0


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_in_the_same_bytes(
    new_project: Callable[[], Project], uninterrupted: Project
) -> None:
    project = new_project()
    project.set_params(EPOCHS)
    for stage, later in STAGES.items():
        for victim, moment in ((stage, ""), ("dvc", ""), *later):
            killed = run_and_kill(project, stage, victim, moment)
            # A stage may end while it is killed for a file that it has written.
            assert killed or moment.endswith("*"), (stage, victim, moment)
    project.dvc("repro")
    for name in RESULTS:
        assert project.read(name) == uninterrupted.read(name), name


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_stops_training_cleanly_and_says_how_to_go_on(
    number: signal.Signals, untrained: Project, uninterrupted: Project
) -> None:
    with start(untrained, "python", "-m", "stages", "train") as train:
        assert train.stderr is not None
        # An epoch is printed before it is saved: once the second is printed, the first is saved.
        assert train.stderr.readline().startswith("epoch 1/150")
        assert train.stderr.readline().startswith("epoch 2/150")
        train.send_signal(number)
        output = train.stderr.read()
    assert train.returncode == 128 + number
    assert f"stopped by {number.name}" in output
    assert "Run the same command again to continue" in output
    assert "Traceback" not in output
    resumed = untrained.run("python", "-m", "stages", "train").stderr
    assert "epoch 1/150" not in resumed
    assert untrained.read("models/autoencoder.keras") == uninterrupted.read("models/autoencoder.keras")


def test_after_a_run_no_checkpoint_is_left(uninterrupted: Project) -> None:
    assert list((uninterrupted.folder / ".checkpoints").rglob("*.state")) == []


@pytest.mark.slow
def test_the_curves_can_be_seen_while_training_runs_and_at_once_after_a_kill(
    untrained: Project, uninterrupted: Project
) -> None:
    history = untrained.folder / "plots/history.csv"
    with start(untrained, "python", "-m", "stages", "train") as train:
        assert train.stderr is not None
        # An epoch is printed before it is written: once the third is printed, two are written.
        assert any(line.startswith("epoch 3/150") for line in iter(train.stderr.readline, ""))
        seen = history.read_bytes()
        train.kill()
    whole = uninterrupted.read("plots/history.csv")
    assert 2 <= len(seen.splitlines()) - 1 < 150
    assert whole.startswith(seen)
    history.unlink()
    with start(untrained, "python", "-m", "stages", "train") as train:
        assert train.stderr is not None
        assert train.stderr.readline().startswith("epoch ")
        resumed = history.read_bytes()
        train.kill()
    assert len(resumed.splitlines()) >= len(seen.splitlines())
    assert whole.startswith(resumed)
