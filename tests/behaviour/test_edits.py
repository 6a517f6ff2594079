"""What an edit of the library makes stale: nothing where no result changes, or else just what uses it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from behaviour import compare
from tests.pipeline.conftest import ROOT

pytestmark = pytest.mark.slow
Edit = tuple[str, str, str]
"""A file, a pattern in it, and what takes its place."""
WORDS: Sequence[Edit] = (
    ("cae/engine/steps.py", r"\Z", "# A comment.\n"),
    ("cae/networks/residual.py", "The strong network", "Another network"),
    ("cae/engine/training.py", "sum_columns", "add_columns"),
    ("cae/datasets/noise.py", "compute_normal_table", "compute_normal_quantiles"),
    ("cae/engine/native/functions.h", r"\Z", "// A comment.\n"),
)
LEARNING_RATE: Sequence[Edit] = (
    ("cae/engine/training.py", r"0\.5 \* np\.pi \* \(1 - ", "0.499 * np.pi * (1 - "),
)
SSIM: Sequence[Edit] = (("cae/metrics/quality.py", r"filter_sigma=1\.5", "filter_sigma=1.6"),)


def changed_by(edits: Sequence[Edit], names: Sequence[str], folder: Path) -> set[tuple[str, str]]:
    """Edit a copy of the project, compute digests there; return those that changed, as (file, key)."""
    for name in ("behaviour", "cae", "stages", "data"):
        ignored = shutil.ignore_patterns("__pycache__", ".dvc", "prepared", "baselines", "raw")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("requirements.txt", "params.yaml", "dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    for name, pattern, replacement in edits:
        path = folder / name
        text, count = re.subn(pattern, replacement, path.read_text())
        assert count, f"{name} holds no {pattern}: mend this test"
        path.write_text(text)
    changed = set()
    for name in names:
        subprocess.run([sys.executable, "-m", "behaviour", name], cwd=folder, check=True, capture_output=True)
        before, after = (
            json.loads((place / f"behaviour/{name}.json").read_text()) for place in (ROOT, folder)
        )
        changed |= {(f"{name}.json", key) for key in compare.differences(before, after)}
    return changed


def stale(changed: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Name the stages, as PROJECT:STAGE, that depend on one of these digests."""
    monkeypatch.chdir(ROOT)
    users = compare.users_of_keys()
    return {user for key in changed for user in users.get(key, [])}


def test_words_make_nothing_stale(tmp_path: Path) -> None:
    assert changed_by(WORDS, ("datasets", "measures", "training", "stages"), tmp_path) == set()


def test_the_formula_of_the_learning_rate_makes_what_trains_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = stale(changed_by(LEARNING_RATE, ("measures", "training"), tmp_path), monkeypatch)
    trains = {
        user
        for (file, _), users in compare.users_of_keys().items()
        if file == "training.json"
        for user in users
    }
    assert found == trains
    assert {user.partition(":")[0] for user in found} >= {
        "anomaly",
        "denoising",
        "rate",
        "seeds",
        "variational",
    }
    # The study of scores trains its networks in the stage that measures them.
    measures = {user for user in found if user.endswith((":report", ":measure", ":score", ":tune"))}
    assert measures == {"score:measure"}


def test_the_formula_of_the_ssim_makes_what_reports_it_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = stale(changed_by(SSIM, ("measures", "stages", "training"), tmp_path), monkeypatch)
    assert found >= {
        "denoising:measure",
        "denoising:tune",
        "rate:measure",
        "seeds:measure",
        "custom:evaluate",
    }
    assert not {user for user in found if ":train" in user or user.startswith("anomaly")}
