"""The other networks through the real commands: the same guarantees as the default's."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pipeline.conftest import ENVIRONMENT, Project

pytestmark = pytest.mark.slow

EPOCHS = 40
NAMES = ("residual", "self_supervised", "variational")
RESULTS = ("models/autoencoder.keras", "plots/history.csv", "metrics/train.json")
TRAIN = ("python", "-m", "stages", "train")


def settings(name: str) -> dict[str, dict[str, Any]]:
    changes: dict[str, Any] = {"batch_size": 64}
    if name != "self_supervised":  # it draws views
        changes["augmentations"] = [{"kind": "mirror"}, {"kind": "gaussian", "strength": 0.2}]
    return {"model": {"name": name, name: changes}, "train": {"epochs": EPOCHS, "patience": EPOCHS}}


@pytest.fixture(scope="module", params=NAMES)
def trained(
    request: pytest.FixtureRequest, finished: Project, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project in which a network other than the default was trained on all cores."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    project = Project(folder)
    project.set_params(settings(request.param))
    project.run(*TRAIN)
    return project


@pytest.fixture
def untrained(project: Project, trained: Project) -> Project:
    """One in which the data are prepared, and that network is to be trained."""
    (project.folder / "params.yaml").write_bytes(trained.read("params.yaml"))
    return project


@pytest.mark.skipif(not shutil.which("taskset"), reason="this machine has no taskset")
@pytest.mark.parametrize("cores", [1, 2])
def test_any_number_of_cores_gives_the_same_bytes(cores: int, untrained: Project, trained: Project) -> None:
    chosen = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores]))
    untrained.run("taskset", "--cpu-list", chosen, *TRAIN)
    for name in RESULTS:
        assert untrained.read(name) == trained.read(name), name


def test_a_killed_training_goes_on_and_ends_in_the_same_bytes(untrained: Project, trained: Project) -> None:
    with subprocess.Popen(
        TRAIN, cwd=untrained.folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        # An epoch is printed before it is saved: once the third is printed, the second is saved.
        lines = [process.stderr.readline() for _ in range(3)]
        process.kill()
    assert lines[2].startswith(f"epoch 3/{EPOCHS}")
    assert "epoch 1/" not in untrained.run(*TRAIN).stderr
    for name in RESULTS:
        assert untrained.read(name) == trained.read(name), name


@pytest.mark.parametrize("name", NAMES)
def test_its_experiment_runs_through_and_its_objective_is_in_the_history(name: str, project: Project) -> None:
    project.dvc("exp", "run", "--set-param", f"model.name={name}", "--name", "another")
    metrics = json.loads(project.read("metrics/train.json"))
    assert set(metrics) == {"best_epoch", "loss", "val_loss"}
    assert b"val_objective" in project.read("plots/history.csv")
    assert json.loads(project.dvc("plots", "show", "--json").stdout).get("errors", []) == []


def predict(model: Path, backend: str) -> np.ndarray:
    """Run a saved network in an interpreter with nothing of ours on the path, on fixed images."""
    program = (
        "import sys, keras, numpy as np\n"
        "network = keras.saving.load_model(sys.argv[1], compile=False, safe_mode=True)\n"
        "images = np.random.default_rng(0).random((8, 28, 28, 1), np.float32)\n"
        "np.save(sys.argv[2], keras.ops.convert_to_numpy(network(images)))\n"
        "assert not any(name.split('.')[0] in ('cae', 'stages', 'studies') for name in sys.modules)"
    )
    out = model.with_name(f"{backend}.npy")
    subprocess.run(
        [sys.executable, "-c", program, str(model), str(out)],
        cwd=model.parent,
        env=ENVIRONMENT | {"KERAS_BACKEND": backend},
        check=True,
        capture_output=True,
    )
    return np.load(out)


@pytest.fixture(params=[True, False], ids=["another", "convolutional"])
def saved(request: pytest.FixtureRequest, trained: Project, finished: Project, tmp_path: Path) -> Path:
    """The file of a trained network, alone in a folder."""
    project = trained if request.param else finished
    copy = tmp_path / "autoencoder.keras"
    copy.write_bytes(project.read("models/autoencoder.keras"))
    return copy


def test_plain_keras_loads_it(saved: Path) -> None:
    images = predict(saved, "tensorflow")
    assert images.shape == (8, 28, 28, 1)
    assert 0 <= images.min() < images.max() <= 1


# Not among the requirements: TensorFlow itself imports JAX where it is installed, and PyTorch is large.
@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="PyTorch is not installed")
def test_another_backend_answers_alike(saved: Path) -> None:
    np.testing.assert_allclose(predict(saved, "torch"), predict(saved, "tensorflow"), atol=1e-5)
