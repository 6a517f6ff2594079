"""A main pipeline of a few images, beside which studies run."""

import shutil
from pathlib import Path

import pytest

from tests.studies import running


@pytest.fixture(scope="session")
def made_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    running.make_pipeline(folder)
    return folder


@pytest.fixture
def pipeline(made_pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with data/ and params.yaml of a main pipeline of a few images."""
    shutil.copytree(made_pipeline, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
