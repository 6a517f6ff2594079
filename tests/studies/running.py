"""Runs the stages of a study in a temporary folder, by their functions."""

import shutil
from collections.abc import Callable
from typing import Any

from stages import runner
from stages.runner.project import Project, Results


def run(stage: Callable[..., Results], project: Project, *arguments: Any) -> Results:
    """Call a stage, write its results, remove its checkpoints, and return the results."""
    results = stage(project, *arguments)
    for path, content in results.items():
        runner.write_result(project.folder / path, content)
    shutil.rmtree(project.checkpoints, ignore_errors=True)
    return results
