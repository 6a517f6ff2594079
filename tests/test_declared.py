"""dvc.yaml declares what the code uses, and dvc.lock is the last run of exactly this code."""

import ast
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
LOCKED: dict[str, Any] = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())

LOCKED_FILES = [
    (stage, kind, entry)
    for stage, entries in LOCKED.items()
    for kind in ("deps", "outs")
    for entry in entries.get(kind, [])
]


def paths(entries: list[Any]) -> set[str]:
    """Paths in a list of dvc.yaml, with or without options."""
    return {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}


def imported(module: str) -> set[str]:
    """Files of this project that a module loads, however deep, as Python itself reports them."""
    listing = f"""
import {module}, sys
print(*[module.__file__ for module in sys.modules.values()
        if getattr(module, "__file__", None)], sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = (Path(line) for line in done.stdout.splitlines())
    return {
        str(file.relative_to(ROOT))
        for file in files
        if file.is_relative_to(ROOT / "cae") or file.is_relative_to(ROOT / "stages")
    }


def sections_read(script: Path) -> set[str]:
    """Sections that a stage takes from params: every NAME in `params.load().NAME`."""
    return {
        node.attr
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "params.load()"
    }


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_every_module_it_imports(stage: str) -> None:
    declared = {path for path in paths(STAGES[stage]["deps"]) if path.endswith(".py")}
    assert declared == imported(f"stages.{stage}")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_exactly_the_parameters_it_reads(stage: str) -> None:
    assert set(STAGES[stage].get("params", [])) == sections_read(ROOT / "stages" / f"{stage}.py")


def test_training_depends_on_no_label_and_no_test_image() -> None:
    data = {path for path in paths(STAGES["train"]["deps"]) if path.startswith("data/")}
    assert data == {"data/prepared/train_images.npy", "data/prepared/validation_images.npy"}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_and_cached_output_is_described(stage: str) -> None:
    assert STAGES[stage]["desc"]
    assert all(
        isinstance(output, dict) and next(iter(output.values()))["desc"]
        for output in STAGES[stage].get("outs", [])
    )


@pytest.mark.parametrize("stage", STAGES)
def test_the_lock_file_has_the_declared_command_and_files(stage: str) -> None:
    assert LOCKED[stage]["cmd"] == STAGES[stage]["cmd"]
    assert {entry["path"] for entry in LOCKED[stage]["deps"]} == paths(STAGES[stage]["deps"])
    outputs = set().union(*(paths(STAGES[stage].get(kind, [])) for kind in ("outs", "metrics", "plots")))
    assert {entry["path"] for entry in LOCKED[stage]["outs"]} == outputs


@pytest.mark.parametrize("stage", [stage for stage in STAGES if "params" in STAGES[stage]])
def test_the_lock_file_has_the_committed_parameters(stage: str) -> None:
    locked = LOCKED[stage]["params"]["params.yaml"]
    assert locked == {section: PARAMS[section] for section in STAGES[stage]["params"]}


@pytest.mark.parametrize(
    ("stage", "kind", "entry"),
    LOCKED_FILES,
    ids=lambda value: value["path"] if isinstance(value, dict) else value,
)
def test_the_lock_file_has_the_committed_files(stage: str, kind: str, entry: dict[str, Any]) -> None:
    path = ROOT / entry["path"]
    if entry["path"].startswith(("data/", "models/")):
        # Made by a run, not in git: what one stage takes must be what another made.
        made = {made["path"]: made["md5"] for stage in LOCKED.values() for made in stage["outs"]}
        if entry["path"] in made:
            assert entry["md5"] == made[entry["path"]]
        else:
            assert str(Path(entry["path"]).parent) in made
        return
    assert entry["md5"] == hashlib.md5(path.read_bytes()).hexdigest(), (
        f"run dvc repro: {path.name} has changed"
    )
