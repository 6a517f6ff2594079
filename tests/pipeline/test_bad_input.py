"""A mistake gets the thing and its fix named, an exit code, no traceback, and nothing written.

Neither does Ctrl-C print a traceback, whenever it comes.
"""

import gzip
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cae.core import files
from cae.datasets import fashion_mnist
from tests import default
from tests.pipeline.conftest import ENVIRONMENT, ROOT, Project

pytestmark = pytest.mark.slow

# A machine without network and apt: a proxy that nobody listens as, and no program but this Python's own.
ALONE = {"PATH": str(Path(sys.executable).parent), "no_proxy": "", "NO_PROXY": ""} | dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
)
without_package = pytest.mark.skipif(
    fashion_mnist.PACKAGE_FOLDER.exists(), reason="this machine has the data set as an installed package"
)


def list_status(project: Project) -> list[str]:
    """Return what git knows of new, changed and ignored files, but for bytecode and checkpoints."""
    listed = project.git("status", "--porcelain", "--ignored").splitlines()
    return [line for line in listed if "__pycache__" not in line and ".checkpoints" not in line]


def refused(project: Project, *command: str, **environment: str) -> str:
    """Run a command that has to fail, and return what it says."""
    before = list_status(project)
    done = project.run(*command, check=False, **environment)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    assert list_status(project) == before
    return said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {"epoch": 3}}, "train.epoch is not a known key"),
        ({"model": {"name": "vit"}}, "model.name is 'vit': should be 'convolutional', 'discriminative', "),
    ],
)
def test_a_wrong_value_in_params_yaml_stops_the_stage(
    changes: Mapping[str, Any], message: str, project: Project
) -> None:
    project.set_params(changes)
    project.commit()
    assert message in refused(project, "python", "-m", "stages", "train")


@without_package
def test_without_the_data_every_source_and_every_fix_is_named(new_project: Callable[[], Project]) -> None:
    project = new_project()
    for file in (project.folder / "data" / "raw").iterdir():
        file.unlink()
    said = refused(project, "python", "-m", "stages", "prepare", **ALONE)
    for expected in ("Keras's download", "apt-get", "data/raw lacks", "1. ", "2. ", "3. "):
        assert expected in said


@without_package
def test_a_truncated_file_is_set_aside_and_never_used(new_project: Callable[[], Project]) -> None:
    project = new_project()
    cut = project.folder / "data" / "raw" / "train-images-idx3-ubyte.gz"
    cut.write_bytes(cut.read_bytes()[:1000])
    said = project.run("python", "-m", "stages", "prepare", check=False, **ALONE)
    assert said.returncode != 0
    assert "train-images-idx3-ubyte.gz.rejected" in said.stderr
    assert "Traceback" not in said.stderr
    assert not cut.exists()
    assert cut.with_name(f"{cut.name}.rejected").exists()
    assert not (project.folder / "data" / "prepared").exists()


@without_package
def test_a_file_with_another_checksum_is_never_used(new_project: Callable[[], Project]) -> None:
    project = new_project()
    labels = project.folder / "data" / "raw" / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[-1] = (content[-1] + 1) % 10
    labels.write_bytes(gzip.compress(bytes(content)))
    said = project.run("python", "-m", "stages", "prepare", check=False, **ALONE)
    assert said.returncode != 0
    assert "SHA-256" in said.stderr
    assert "t10k-labels-idx1-ubyte.gz" in said.stderr
    assert not (project.folder / "data" / "prepared").exists()


def test_training_without_a_compiler_says_what_to_install_or_to_set(project: Project) -> None:
    said = refused(project, "python", "-m", "stages", "train", CC="no-such-compiler")
    assert "error: Training needs a C compiler, but there is no C compiler 'no-such-compiler'" in said
    assert "install gcc or clang" in said
    assert "set train.engine to stock in params.yaml" in said


def test_a_model_of_another_shape_is_refused_by_evaluate(project: Project) -> None:
    files.write_model(project.folder / "models/autoencoder.keras", default.autoencoder(seed=1).encoder)
    said = refused(project, "python", "-m", "stages", "evaluate")
    assert "maps (28, 28, 1) to (4, 4, 8)" in said


def test_a_source_edited_while_training_runs_is_named_and_nothing_is_written(project: Project) -> None:
    project.set_params({"train": {"epochs": 60, "patience": 60}})
    project.commit()
    model = project.read("models/autoencoder.keras")
    with subprocess.Popen(
        ["python", "-m", "stages", "train"],
        cwd=project.folder,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as train:
        assert train.stderr is not None
        assert train.stderr.readline().startswith("epoch 1/60")
        with (project.folder / "cae/engine/steps.py").open("a") as source:
            source.write("# edited\n")
        said = train.stderr.read()
    assert train.returncode == 1
    assert "error: cae/engine/steps.py changed while the stage train ran, so its results were not" in said
    assert project.read("models/autoencoder.keras") == model


@pytest.mark.parametrize(
    ("stage", "folder"),
    [("prepare", "data/prepared"), ("train", "models"), ("evaluate", "metrics")],
)
def test_a_folder_that_cannot_be_written_is_named_and_left_as_it_was(
    stage: str, folder: str, project: Project
) -> None:
    # A file in the folder's place cannot be written into, whoever runs the test, root included.
    path = project.folder / folder
    path.rename(path.with_name("aside"))
    path.write_text("not a folder")
    said = refused(project, "python", "-m", "stages", stage)
    assert folder in said


def test_outside_the_project_the_missing_file_is_named(tmp_path: Path) -> None:
    elsewhere = Project(tmp_path)
    done = elsewhere.run("python", "-m", "stages", "train", check=False, PYTHONPATH=str(ROOT))
    assert done.returncode == 1
    assert "dvc.yaml cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_while_a_stage_still_imports_ends_it_without_a_traceback(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    (tmp_path / "cae").mkdir()
    # Stands in for the seconds that TensorFlow takes.
    (tmp_path / "cae" / "__init__.py").write_text("import signal; signal.raise_signal(signal.SIGINT)")
    done = Project(tmp_path).run("python", "-m", "stages", "prepare", check=False)
    assert done.returncode == -signal.SIGINT
    assert done.stderr == ""


def test_an_interrupted_stage_ends_at_once_though_a_thread_goes_on(tmp_path: Path) -> None:
    script = """
import signal, threading, time
from stages import runner

def stage():
    threading.Thread(target=time.sleep, args=(600,)).start()
    signal.raise_signal(signal.SIGINT)

runner.execute(stage)
"""
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr.startswith("stopped by SIGINT: no incomplete file was left")
    assert "Traceback" not in done.stderr
