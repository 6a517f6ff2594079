"""What the Makefile runs starts in a process of its own, where nothing is loaded or pinned before."""

import re
import sys

import pytest

from tests.pipeline.conftest import ROOT, Project

DOORS = sorted({*re.findall(r"python -m (\S+\.\S+)", (ROOT / "Makefile").read_text()), "checks.readme"})


@pytest.mark.slow
@pytest.mark.parametrize("module", DOORS)
def test_a_door_loads_by_itself(module: str) -> None:
    Project(ROOT).run(sys.executable, "-c", f"import {module}")


def test_the_summary_at_the_end_of_make_repro_is_the_table_of_the_readme() -> None:
    done = Project(ROOT).run(sys.executable, "-m", "checks.summary")
    first, *_ = done.stdout.splitlines()
    assert first in (ROOT / "README.md").read_text()
    assert "dvc plots show" in done.stdout
