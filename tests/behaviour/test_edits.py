"""An edit of the library that changes no result makes nothing stale."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from behaviour import compare
from tests import ROOT

pytestmark = pytest.mark.slow
# A file, a pattern in it, and what takes its place.
EDITS = (
    ("cae/engine/steps.py", r"\Z", "# A comment.\n"),
    ("cae/networks/residual.py", "The strong network", "Another network"),
    ("cae/engine/training.py", "sum_columns", "add_columns"),
    ("cae/datasets/noise.py", "compute_normal_table", "compute_normal_quantiles"),
    ("cae/engine/native/functions.h", r"\Z", "// A comment.\n"),
)


def test_comments_and_renamed_variables_change_no_digest(tmp_path: Path) -> None:
    for name in ("behaviour", "cae", "stages", "data"):
        ignored = shutil.ignore_patterns("__pycache__", ".dvc", "prepared", "baselines", "raw")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("requirements.txt", "params.yaml", "dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path)
    for name, pattern, replacement in EDITS:
        text, count = re.subn(pattern, replacement, (tmp_path / name).read_text())
        assert count, f"{name} holds no {pattern}: adapt this test"
        (tmp_path / name).write_text(text)
    for name in ("datasets", "measures", "training", "stages"):
        command = [sys.executable, "-m", "behaviour", name]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        before, after = (
            json.loads((folder / f"behaviour/{name}.json").read_text()) for folder in (ROOT, tmp_path)
        )
        assert compare.list_differences(before, after) == {}
