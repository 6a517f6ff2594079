"""Two real workers on loopback are one job: the same bits as one process, one writer, no silent waiting."""

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cae.core import files
from tests import ROOT
from tests.engine.test_workers import make_config
from tests.pipeline.conftest import ENVIRONMENT, Project, find_free_ports

pytestmark = pytest.mark.slow

# What training writes.
WRITTEN = ("models/autoencoder.keras", "models/encoder.keras", "metrics/train.json", "plots/history.csv")
LONG = {"train": {"epochs": 200, "patience": 200}}


@pytest.fixture
def machines(finished: Project, tmp_path: Path) -> list[Project]:
    """Two clones with the same data, as two machines have them; nothing is trained."""
    projects = []
    for index in range(2):
        folder = tmp_path / f"machine{index}"
        shutil.copytree(finished.folder, folder, symlinks=True)
        for name in WRITTEN:
            (folder / name).unlink()
        projects.append(Project(folder))
    return projects


def start(machines: list[Project]) -> list[subprocess.Popen[str]]:
    """Start `python -m stages train` as one job of as many workers as there are machines."""
    addresses = [f"127.0.0.1:{port}" for port in find_free_ports(len(machines))]
    return [
        subprocess.Popen(
            ["python", "-m", "stages", "train"],
            cwd=machine.folder,
            env=ENVIRONMENT | {"TF_CONFIG": make_config({"worker": addresses}, index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index, machine in enumerate(machines)
    ]


def finish(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Wait for all and return what each printed; a worker that waits for ever fails the test."""
    outputs = []
    for process in processes:
        output, errors = process.communicate(timeout=300)
        outputs.append(output + errors)
    return outputs


def test_two_workers_give_the_bytes_of_one_process_and_only_the_chief_writes(
    machines: list[Project], finished: Project
) -> None:
    processes = start(machines)
    outputs = finish(processes)
    assert [process.returncode for process in processes] == [0, 0], outputs
    for name in WRITTEN:
        assert machines[0].read(name) == finished.read(name), name
    chief, other = ([name for name in WRITTEN if (one.folder / name).exists()] for one in machines)
    assert chief == list(WRITTEN)
    assert other == []


def test_when_a_worker_dies_the_other_stops_and_a_new_job_goes_on(machines: list[Project]) -> None:
    for machine in machines:
        machine.set_params(LONG)
    chief, other = start(machines)
    assert chief.stderr is not None
    lines = iter(chief.stderr.readline, "")
    assert any(line.startswith("epoch 3/200") for line in lines)
    other.kill()
    output, _ = finish([chief, other])
    assert chief.returncode == 1
    assert "Another worker stopped answering (" in output
    assert "Graph execution error" not in output
    assert "finished epochs are kept" in output
    assert "Traceback" not in output

    chief, other = start(machines)
    assert chief.stderr is not None
    first = next(line for line in iter(chief.stderr.readline, "") if line.startswith("epoch "))
    for worker in (chief, other):
        worker.kill()
    finish([chief, other])
    assert int(first.removeprefix("epoch ").partition("/")[0]) > 3


def change_data(machine: Project) -> None:
    path = machine.folder / "data/prepared/train_images.npy"
    files.write_array(path, 1 - np.load(path))


def change_params(machine: Project) -> None:
    machine.set_params({"train": {"seed": 2}})


def change_code(machine: Project) -> None:
    with (machine.folder / "cae/engine/steps.py").open("a") as file:
        file.write("# another version\n")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (change_data, "images"),
        (change_params, "values in params.yaml"),
        (change_code, "other files"),
    ],
)
def test_workers_on_different_jobs_are_all_told_what_differs(
    change: Callable[[Project], None], named: str, machines: list[Project]
) -> None:
    change(machines[1])
    processes = start(machines)
    outputs = finish(processes)
    assert [process.returncode for process in processes] == [1, 1], outputs
    for output in outputs:
        assert f"Compared with worker 0: worker 1 has other {named}. Copy" in output
        assert "Traceback" not in output
    assert not any((machine.folder / name).exists() for machine in machines for name in WRITTEN)


def test_a_port_in_use_is_named() -> None:
    script = (
        "from stages import runner; from cae.engine import workers; runner.execute(workers.build_strategy)"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = make_config({"worker": [address]})
        done = Project(ROOT).run(sys.executable, "-c", script, check=False, TF_CONFIG=config)
    assert done.returncode == 1
    assert "error: This worker cannot listen at its address" in done.stderr
    assert address in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_whose_others_never_come_gives_up() -> None:
    (port, nobody) = find_free_ports(2)
    config = make_config({"worker": [f"127.0.0.1:{port}", f"127.0.0.1:{nobody}"]})
    script = (
        "from stages import runner; from cae.engine import workers; workers.build_strategy(start_timeout=3)"
    )
    done = Project(ROOT).run(sys.executable, "-c", script, check=False, TF_CONFIG=config)
    assert done.returncode == -signal.SIGALRM
    assert "waiting at most 3 s for all workers" in done.stderr
