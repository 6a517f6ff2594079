"""Temporary clones of this project, small but real: the dvc command, Fashion-MNIST, processes."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cae.core import environment
from cae.datasets import fashion_mnist
from tests import ROOT

SMALL: dict[str, dict[str, Any]] = {
    "split": {"train": 256, "validation": 128, "test": 128},
    "model": {"convolutional": {"batch_size": 64}, "residual": {"width": 32, "batch_size": 64}},
    "train": {"epochs": 2},
    "probes": {"labels_per_class": [2, 5]},
    "embedding": {"images": 64, "perplexity": 10.0},
}
# A user's shell pins nothing: the stages have to do that themselves. Python writes bytecode among the
# sources, as it does by default, which must not make DVC run anything again.
UNSET = (*environment.VARIABLES, "PYTHONDONTWRITEBYTECODE")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in UNSET} | {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "DVC_NO_ANALYTICS": "true",
    # Machines that run tests have no git identity.
    **{
        f"GIT_{role}_{key}": f"test{at}"
        for role in ("AUTHOR", "COMMITTER")
        for key, at in (("NAME", ""), ("EMAIL", "@localhost"))
    },
}


def find_free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def merged(content: Any, changes: Any) -> Any:
    """Return settings with some of them changed, however deep."""
    if not isinstance(content, dict):
        return changes
    return content | {key: merged(content.get(key), value) for key, value in changes.items()}


@dataclass(frozen=True)
class Project:
    """A clone of this project in a folder of its own."""

    folder: Path

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone; if it should succeed and does not, the test fails with its output."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=ENVIRONMENT | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done

    def dvc(
        self, *arguments: str, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the real dvc."""
        return self.run("dvc", *arguments, check=check, **environment)

    def git(self, *arguments: str) -> str:
        """Run git and return what it prints."""
        return self.run("git", *arguments).stdout

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a run")

    def set_params(self, changes: Mapping[str, object]) -> None:
        """Change params.yaml."""
        path = self.folder / "params.yaml"
        path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()), changes)))

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self.folder / name).read_bytes()


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verified files of Fashion-MNIST: those of this checkout, or fetched once as prepare does."""
    folder = ROOT / "data" / "raw"
    if not folder.exists():
        folder = tmp_path_factory.mktemp("raw")
    fashion_mnist.fetch(folder)
    return folder


@pytest.fixture(scope="session")
def new_project(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """Make clones of the files as they are now, committed or not, with small parameters; nothing has run."""

    def make() -> Project:
        folder = tmp_path_factory.mktemp("clone", numbered=True) / "project"
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        # The committed lock file and results are those of the full run.
        (folder / "dvc.lock").unlink(missing_ok=True)
        (folder / "data" / "raw").mkdir(parents=True)
        for file in raw.glob("*ubyte*"):
            shutil.copy2(file, folder / "data" / "raw")
        project = Project(folder)
        project.set_params(SMALL)
        project.git("init", "--quiet")
        project.commit()
        return project

    return make


@pytest.fixture(scope="session")
def finished(new_project: Callable[[], Project]) -> Project:
    """A clone in which the small pipeline has run and been committed. Not to be changed."""
    project = new_project()
    project.dvc("repro")
    project.commit()
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished clone, at a path of its own, that a test may change."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")
