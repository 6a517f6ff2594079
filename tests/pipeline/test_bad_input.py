"""A mistake gets the thing and its fix named, an exit code, no traceback, and nothing written."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cae import artifacts, models
from tests.pipeline.conftest import ROOT, Project

pytestmark = pytest.mark.slow

# A machine without network and apt: nothing but this Python's own folder and what every system has.
NO_APT = {"PATH": str(Path(os.environ["PATH"].split(os.pathsep)[0]))}


def refused(project: Project, *command: str, **environment: str) -> str:
    """Run a command that has to fail, and return what it says."""
    before = project.git("status", "--porcelain", "--ignored")
    done = project.run(*command, check=False, **environment)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert "Traceback" not in said
    assert project.git("status", "--porcelain", "--ignored") == before
    return said


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("epoch", 3, "train.epoch is not a known key"),
        ("epochs", "ten", "train.epochs is 'ten'"),
        ("epochs", -1, "train.epochs is -1"),
        ("learning_rate", "1e-3", "write 0.001"),
    ],
)
def test_a_wrong_value_in_params_yaml_stops_the_stage(
    key: str, value: object, message: str, project: Project
) -> None:
    project.set_params({"train": {key: value}})
    project.commit()
    assert message in refused(project, "python", "-m", "stages.train")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.epochs=-1", "train.epochs is -1"),
        ("+train.epoch=3", "train.epoch is not a known key"),
        ("train.learning_rate=fast", "train.learning_rate is 'fast'"),
        ("train.learning_rate='1e-3'", "write 0.001"),
    ],
)
def test_a_wrong_value_on_the_command_line_stops_the_experiment(
    setting: str, message: str, project: Project
) -> None:
    done = project.dvc("exp", "run", "--set-param", setting, check=False)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_without_the_data_every_source_and_every_fix_is_named(new_project: Callable[[], Project]) -> None:
    project = new_project()
    for file in (project.folder / "data" / "raw").iterdir():
        file.unlink()
    said = refused(project, "python", "-m", "stages.prepare", **NO_APT)
    for expected in ("Keras's download", "apt-get", "data/raw lacks", "1. ", "2. ", "3. "):
        assert expected in said


def test_a_truncated_file_is_set_aside_and_never_used(new_project: Callable[[], Project]) -> None:
    project = new_project()
    cut = project.folder / "data" / "raw" / "train-images-idx3-ubyte.gz"
    cut.write_bytes(cut.read_bytes()[:1000])
    said = project.run("python", "-m", "stages.prepare", check=False, **NO_APT)
    assert said.returncode != 0
    assert "train-images-idx3-ubyte.gz: the gzip stream is truncated" in said.stderr
    assert "Traceback" not in said.stderr
    assert not cut.exists()
    assert cut.with_name(f"{cut.name}.rejected").exists()
    assert not (project.folder / "data" / "prepared").exists()


def test_a_file_with_another_checksum_is_never_used(new_project: Callable[[], Project]) -> None:
    project = new_project()
    labels = project.folder / "data" / "raw" / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[-1] = (content[-1] + 1) % 10
    labels.write_bytes(gzip.compress(bytes(content)))
    said = project.run("python", "-m", "stages.prepare", check=False, **NO_APT)
    assert said.returncode != 0
    assert "SHA-256" in said.stderr
    assert "t10k-labels-idx1-ubyte.gz" in said.stderr
    assert not (project.folder / "data" / "prepared").exists()


def test_a_model_of_another_shape_is_refused_by_evaluate(project: Project) -> None:
    encoder = models.encoder(models.autoencoder(seed=1))
    artifacts.write_model(project.folder / "models" / "autoencoder.keras", encoder)
    said = refused(project, "python", "-m", "stages.evaluate")
    assert "maps (28, 28, 1) to (4, 4, 8)" in said


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
    said = refused(project, "python", "-m", f"stages.{stage}")
    assert folder in said


def test_a_full_disk_leaves_nothing_half_written(project: Project, tmp_path: Path) -> None:
    # A file system of 1 MiB, mounted in a namespace of the test's own.
    script = """
        mount -t tmpfs -o size=1m none data/prepared || exit 1
        python -m stages.prepare
        echo left: $(ls -A data/prepared)
    """
    done = project.run("unshare", "--mount", "--map-root-user", "sh", "-c", script, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"this machine lets no test mount a file system: {done.stderr.strip()}")
    assert "data/prepared/train_images.npy could not be written" in done.stderr
    assert "Free some space" in done.stderr
    assert "Traceback" not in done.stderr
    # What was written before is whole; of the file that did not fit, nothing is left.
    left = done.stdout.splitlines()[-1].split()
    assert left[0] == "left:"
    assert "train_images.npy" not in left
    assert not [name for name in left if name.endswith(".part")]


def test_outside_the_project_the_missing_file_is_named(tmp_path: Path) -> None:
    elsewhere = Project(tmp_path)
    done = elsewhere.run("python", "-m", "stages.train", check=False, PYTHONPATH=str(ROOT))
    assert done.returncode == 1
    assert "params.yaml could not be read" in done.stderr
    assert "Traceback" not in done.stderr
