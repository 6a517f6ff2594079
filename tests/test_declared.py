"""dvc.yaml declares what the code uses, and dvc.lock is the last run of exactly this code."""

import ast
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT, ROOT / "studies/anomaly")
MADE_BY_RUNS = ("data/", "models/", "studies/anomaly/scores")


class Stage(NamedTuple):
    """A stage of one of the pipelines, as declared in dvc.yaml and as run, in dvc.lock."""

    folder: Path
    name: str
    declared: dict[str, Any]
    locked: dict[str, Any]

    @property
    def module(self) -> str:
        """What its command runs: `python -m MODULE …`."""
        return self.declared["cmd"].split()[2]

    def paths(self, *kinds: str) -> set[str]:
        """Its declared files of some kinds, with or without options."""
        entries = [entry for kind in kinds for entry in self.declared.get(kind, [])]
        return {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}


def stages() -> Iterator[Stage]:
    """All stages; of a matrix, which has one command for all, the first."""
    for folder in FOLDERS:
        declared = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
        locked = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
        for name, stage in declared.items():
            yield Stage(folder, name, stage, locked[f"{name}@0" if "matrix" in stage else name])


STAGES = list(stages())
MADE = {output["path"]: output["md5"] for stage in STAGES for output in stage.locked["outs"]}
every_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: f"{stage.folder.name}:{stage.name}")


def imported(module: str) -> set[str]:
    """Files of this project that a module loads, however deep, as Python itself reports them, or compiles."""
    listing = f"""
import {module}, sys
print(*[module.__file__ for module in sys.modules.values()
        if getattr(module, "__file__", None)], sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = (Path(line) for line in done.stdout.splitlines())
    found = {
        str(file.relative_to(ROOT))
        for file in files
        if any(file.is_relative_to(ROOT / folder) for folder in ("cae", "stages", "studies"))
    }
    compiled = {str(file.relative_to(ROOT)) for file in (ROOT / "cae/native").glob("*.[ch]")}
    return found | (compiled if "cae/native.py" in found else set())


def sections_read(module: str) -> set[str]:
    """Sections that a stage takes from its params: every NAME in `….load().NAME`."""
    script = (ROOT / module.replace(".", "/")).with_suffix(".py")
    return {
        node.attr
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("params.load()", "settings.load()")
    }


def sections_declared(stage: Stage) -> set[str]:
    """Sections that dvc.yaml names, of params.yaml or of a file of the study's own."""
    entries = stage.declared.get("params", [])
    return {
        name
        for entry in entries
        for name in (next(iter(entry.values())) if isinstance(entry, dict) else [entry])
    }


@every_stage
def test_a_stage_depends_on_every_module_it_imports(stage: Stage) -> None:
    code = {path for path in stage.paths("deps") if path.endswith((".py", ".c", ".h"))}
    assert code == imported(stage.module)


@every_stage
def test_a_stage_declares_exactly_the_parameters_it_reads(stage: Stage) -> None:
    assert sections_declared(stage) == sections_read(stage.module)


@every_stage
def test_a_stage_and_its_cached_outputs_are_described(stage: Stage) -> None:
    assert stage.declared["desc"]
    for output in stage.declared.get("outs", []):
        assert next(iter(output.values()))["desc"]


def test_training_depends_on_no_label_and_no_test_image() -> None:
    (train,) = (stage for stage in STAGES if stage.name == "train")
    data = {path for path in train.paths("deps") if path.startswith("data/")}
    assert data == {"data/prepared/train_images.npy", "data/prepared/validation_images.npy"}


def test_dvc_can_read_every_committed_metric() -> None:
    command = [sys.executable, "-m", "dvc", "metrics", "show"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "failed to load" not in done.stderr
    assert all(name in done.stdout for name in ("metrics/probe.json", "studies/anomaly/metrics/auroc.json"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_lock_file_has_the_declared_stages(folder: Path) -> None:
    declared, locked = (
        yaml.safe_load((folder / name).read_text())["stages"] for name in ("dvc.yaml", "dvc.lock")
    )
    assert {name.partition("@")[0] for name in locked} == set(declared)


@every_stage
def test_the_lock_file_has_the_declared_files(stage: Stage) -> None:
    def locked(kind: str) -> set[str]:
        return {entry["path"] for entry in stage.locked.get(kind, [])}

    def filled_in(paths: set[str]) -> set[str]:
        return {path.replace("${item.label}", "0") for path in paths}

    assert locked("deps") == stage.paths("deps")
    assert locked("outs") == filled_in(stage.paths("outs", "metrics", "plots"))


@every_stage
def test_the_lock_file_has_the_committed_parameters(stage: Stage) -> None:
    for name, values in stage.locked.get("params", {}).items():
        committed = yaml.safe_load((ROOT / name).read_text())
        assert values == {section: committed[section] for section in sections_declared(stage)}


@every_stage
def test_the_lock_file_has_the_committed_files(stage: Stage) -> None:
    for entry in stage.locked["deps"] + stage.locked["outs"]:
        path = ROOT / entry["path"]
        if not entry["path"].startswith(MADE_BY_RUNS):
            found = hashlib.md5(path.read_bytes()).hexdigest()
            assert entry["md5"] == found, f"{entry['path']} has changed since the last run: dvc repro"
        elif entry["path"] in MADE:
            assert entry["md5"] == MADE[entry["path"]], f"{entry['path']} is not what another stage made"
