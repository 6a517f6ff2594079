"""The same code, data and parameters give the same bytes: elsewhere, later, on other cores."""

import os
import shutil
from collections.abc import Callable

import pytest

from tests.pipeline.conftest import Project

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not shutil.which("taskset"), reason="this machine has no taskset")
def test_a_clone_elsewhere_on_one_core_gives_the_same_lock_file(
    finished: Project, new_project: Callable[[], Project]
) -> None:
    # A pipeline takes longer than the two seconds that a zip member's clock resolves.
    other = new_project()
    assert other.folder != finished.folder
    core = str(min(os.sched_getaffinity(0)))
    other.run("taskset", "--cpu-list", core, "dvc", "repro")
    assert other.read("dvc.lock") == finished.read("dvc.lock")


def test_threads_and_instructions_set_in_the_shell_change_no_byte(
    finished: Project, new_project: Callable[[], Project]
) -> None:
    other = new_project()
    other.dvc(
        "repro",
        OMP_NUM_THREADS="7",
        OPENBLAS_NUM_THREADS="7",
        TF_NUM_INTRAOP_THREADS="7",
        CAE_INSTRUCTIONS="avx2",
    )
    assert other.read("dvc.lock") == finished.read("dvc.lock")
