"""Commands are run in this process, and images are drawn for them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cae.cli.app import app

Run = Callable[..., str]


@pytest.fixture
def run() -> Run:
    """Run a command and return what it printed; with `code`, it must end with that exit code."""

    def run_command(*arguments: object, code: int = 0) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False, prog_name="cae")
        assert result.exit_code == code, result.output
        return result.output

    return run_command


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five grey images in the folder `photos`: one in a folder of it, one with an unusual name."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for name in ("0.png", "1.png", "2.png", "-3 ä.png", "more/4.png"):
        path = Path("photos") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (28, 28), dtype=np.uint8)).save(path)
    return Path("photos")
