"""Two real workers on loopback are one job: the same bits as one process, one writer, no silent waiting."""

import json
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.conftest import ENVIRONMENT, ROOT, Project

pytestmark = pytest.mark.slow

LONG = {"train": {"epochs": 200, "patience": 200}}


@pytest.fixture
def machines(finished: Project, tmp_path: Path) -> list[Project]:
    """Two clones with the same data, as two machines have them; nothing is trained."""
    projects = []
    for index in range(2):
        shutil.copytree(finished.folder, tmp_path / f"machine{index}", symlinks=True)
        shutil.rmtree(tmp_path / f"machine{index}" / "models")
        projects.append(Project(tmp_path / f"machine{index}"))
    return projects


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def start(machines: list[Project]) -> list[subprocess.Popen[str]]:
    """Start `python -m stages.train` as one job of as many workers as there are machines."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(len(machines))]
    return [
        subprocess.Popen(
            ["python", "-m", "stages.train"],
            cwd=machine.folder,
            env=ENVIRONMENT
            | {
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
                )
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index, machine in enumerate(machines)
    ]


def finish(workers: list[subprocess.Popen[str]]) -> list[str]:
    """Wait for all and return what each said; a worker that waits for ever fails the test."""
    said = []
    for worker in workers:
        output, errors = worker.communicate(timeout=300)
        said.append(output + errors)
    return said


def test_two_workers_give_the_bytes_of_one_process(machines: list[Project], finished: Project) -> None:
    workers = start(machines)
    said = finish(workers)
    assert [worker.returncode for worker in workers] == [0, 0], said
    for name in (
        "models/autoencoder.keras",
        "models/encoder.keras",
        "metrics/train.json",
        "plots/history.csv",
    ):
        assert machines[0].read(name) == finished.read(name), name


def test_only_the_chief_writes(machines: list[Project]) -> None:
    finish(start(machines))
    assert (machines[0].folder / "models").exists()
    assert not (machines[1].folder / "models").exists()


def test_when_a_worker_dies_the_other_stops_and_a_new_job_goes_on(machines: list[Project]) -> None:
    for machine in machines:
        machine.set_params(LONG)
    chief, other = start(machines)
    assert chief.stderr is not None
    lines = iter(chief.stderr.readline, "")
    assert any(line.startswith("epoch 3/200") for line in lines)
    other.kill()
    said, _ = finish([chief, other])
    assert chief.returncode == 1
    assert "Another worker stopped answering" in said
    assert "finished epochs are kept" in said
    assert "Traceback" not in said

    chief, other = start(machines)
    assert chief.stderr is not None
    first = next(line for line in iter(chief.stderr.readline, "") if line.startswith("epoch "))
    for worker in (chief, other):
        worker.kill()
    finish([chief, other])
    assert int(first.removeprefix("epoch ").partition("/")[0]) > 3


@pytest.mark.parametrize(
    "config", ["{", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}']
)
def test_a_wrong_tf_config_is_named(config: str, project: Project) -> None:
    done = project.run("python", "-m", "stages.train", check=False, TF_CONFIG=config)
    assert done.returncode == 1
    assert "TF_CONFIG is" in done.stderr
    assert "has to look like" in done.stderr
    assert "Traceback" not in done.stderr


def test_shards_that_the_workers_cannot_share_evenly_are_refused(machines: list[Project]) -> None:
    for machine in machines:
        machine.set_params({"train": {"shards": 3}})
    workers = start(machines)
    said = finish(workers)
    assert [worker.returncode for worker in workers] == [1, 1]
    assert all("train.shards is 3" in each for each in said)


def test_a_worker_whose_others_never_come_gives_up() -> None:
    (port, nobody) = free_ports(2)
    cluster = {"worker": [f"127.0.0.1:{port}", f"127.0.0.1:{nobody}"]}
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})
    script = "from cae import workers; workers.strategy(patience=3)"
    done = Project(ROOT).run(sys.executable, "-c", script, check=False, TF_CONFIG=config)
    assert done.returncode == -signal.SIGALRM
    assert "waiting at most 3 s for all workers" in done.stderr
