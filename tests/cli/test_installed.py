"""`pip install .` installs the command with its network; the folder that it came from is not needed."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the installed `cae` of a fresh environment, which borrows the packages of this one."""
    home = tmp_path_factory.mktemp("installed")
    source = home / "source"
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "cae", "pyproject.toml", "LICENSE"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    # Building leaves folders behind.
    for name in files:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    venv.create(home / "environment", with_pip=True)
    python = home / "environment/bin/python"
    install = ("-m", "pip", "install", "--quiet", "--no-deps", source)
    subprocess.run([python, *install], capture_output=True, check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    borrowed = home / "environment/lib" / version / "site-packages/borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib") + "\n")
    return home / "environment/bin/cae"


def test_it_scores_images_outside_the_repository(command: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for place in range(3):
        values = np.random.default_rng(place).integers(0, 256, (28, 28), dtype=np.uint8)
        Image.fromarray(values).save(photos / f"{place}.png")
    done = subprocess.run(
        [command, "score", "photos", "--out", "scores.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", "scores of 3 images in scores.csv\n")
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 4
