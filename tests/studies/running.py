"""Runs the stages of a study in a temporary folder, by their functions."""

from collections.abc import Callable
from typing import Any

from stages import runner
from stages.runner.project import Project, Results


def run(stage: Callable[..., Results], project: Project, *arguments: Any) -> Results:
    """Call a stage, write its results and return them."""
    results = stage(project, *arguments)
    for path, content in results.items():
        runner.write_result(project.folder / path, content)
    return results
