"""Imports run downwards only: what a module needs stands below it."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the ground up; rooms on one floor do not know each other.
FLOORS = (
    {"cae.core"},
    {"cae.datasets", "cae.networks"},
    {"cae.engine", "cae.metrics"},
    {"cae.figures"},
    {"cae.cli"},
    {"stages"},
    {"own"},
    {"studies", "behaviour", "benchmarks"},
    {"checks"},
)
LEVELS = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
MODULES = [
    Path(name)
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    if (ROOT / name).exists() and not name.startswith("tests/")
]


def room_of(module: str) -> str | None:
    """Return the room that a module stands in; None outside this project and for `cae` itself."""
    parts = module.split(".")
    room = ".".join(parts[:2]) if parts[0] == "cae" else parts[0]
    return room if room in LEVELS else None


def imported(path: Path) -> Iterator[str]:
    """Name the modules that a file imports."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_downwards_only(path: Path) -> None:
    own = room_of(".".join(path.with_suffix("").parts))
    if own is None:
        return
    for module in imported(path):
        room = room_of(module)
        assert room in (None, own) or LEVELS[room] < LEVELS[own], f"{path} imports {module}"


def test_the_library_never_reads_params_yaml_itself_and_never_knows_dvc() -> None:
    for path in MODULES:
        if path.parts[0] == "cae":
            assert "dvc" not in set(imported(path)), path
            assert "params.load(" not in (ROOT / path).read_text(), path
