"""dvc.yaml declares what the code uses, and dvc.lock is the last run of exactly this code."""

import ast
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from cae.ground.params import Params
from own.settings import Own
from stages import inputs

ROOT = Path(__file__).parents[1]
PROJECTS = (ROOT, *sorted(folder.parent for folder in ROOT.glob("studies/*/.dvc")))
# A project without pictures of its own: it has run nowhere yet.
EMPTY = ROOT / "own"
CODE = ("cae", "own", "stages", "studies")
# Properties of `own.settings.Own` that read sections themselves.
COMPOSED = {"run": ["model", "train"]}
# How an annotation names one section of params.yaml.
SECTIONS = {
    f"params.{field.annotation.__name__}" for field in Params.model_fields.values() if field.annotation
}
# Parameters that are handed on whole, and the sections that are read then.
WHOLE = {"params.load()": Params.model_fields, "own_settings.load(STUDY)": Own.model_fields}
MADE_BY_RUNS = (
    "data/",
    "models/",
    "own/data/",
    "own/images",
    "own/models/",
    "own/plots/",
    "studies/anomaly/scores",
    "studies/denoising/models",
    "studies/industrial/data/",
    "studies/industrial/models/",
    "studies/medical/data/",
    "studies/medical/models/",
    "studies/rate/models",
    "studies/variational/models",
)


class Stage(NamedTuple):
    """A stage of one of the projects, as declared in dvc.yaml and as run, in dvc.lock."""

    project: Path
    name: str
    declared: dict[str, Any]
    locked: dict[str, Any]
    item: str = ""  # of a matrix, the first value

    @property
    def module(self) -> str:
        """What its command runs: `… python -m MODULE …`."""
        return self.declared["cmd"].partition("python -m ")[2].split()[0]

    def paths(self, *kinds: str) -> set[str]:
        """Its declared files of some kinds, from the root, with or without options."""
        entries = [entry for kind in kinds for entry in self.declared.get(kind, [])]
        return {self.from_root(next(iter(entry)) if isinstance(entry, dict) else entry) for entry in entries}

    def from_root(self, path: str) -> str:
        """Turn a path of this project's, which may name a parameter, into one from the root."""
        named = re.sub(r"\$\{(?!item)([\w.]+)\}", self.parameter, path)
        return str(inputs.from_here(self.project.relative_to(ROOT), named))

    def parameter(self, named: re.Match[str]) -> str:
        """Look up what stands for a name in params.yaml."""
        return str(reduce(getitem, named[1].split("."), inputs.mapping(self.project / "params.yaml")))


def stages() -> Iterator[Stage]:
    """All stages; of a matrix, which has one command for all, the first."""
    for project in (*PROJECTS, EMPTY):
        declared = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
        lock = project / "dvc.lock"
        locked = yaml.safe_load(lock.read_text())["stages"] if project in PROJECTS else {}
        for name, stage in declared.items():
            key = next((key for key in locked if key.partition("@")[0] == name), name)
            yield Stage(project, name, stage, locked.get(key, {}), key.partition("@")[2])


STAGES = list(stages())
(TRAIN,) = (stage for stage in STAGES if (stage.project, stage.name) == (ROOT, "train"))


def of_each(stages: list[Stage]) -> pytest.MarkDecorator:
    """Run a test for each of some stages."""
    return pytest.mark.parametrize("stage", stages, ids=lambda stage: f"{stage.project.name}:{stage.name}")


every_stage = of_each(STAGES)
every_run_stage = of_each([stage for stage in STAGES if stage.project in PROJECTS])


@cache
def imported(module: str) -> frozenset[str]:
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
    loaded = {
        str(file.relative_to(ROOT))
        for file in files
        if any(file.is_relative_to(ROOT / folder) for folder in CODE)
    }
    compiled = {str(file.relative_to(ROOT)) for file in (ROOT / "cae/engine/native").glob("*.[ch]")}
    return frozenset(loaded | (compiled if "cae/engine/operations.py" in loaded else set()))


def rooms(files: frozenset[str]) -> set[str]:
    """Name files of the library by their folder, as the root's dvc.yaml does."""
    return {str(Path(*Path(file).parts[:2])) if file.count("/") > 1 else file for file in files}


def sections_read(module: str) -> set[str]:
    """Sections that a stage takes from its params.

    Every NAME in `….load().NAME`, and in `settings.NAME` after `settings = params.load()` or a changed copy
    of it; all of them where either is handed on, but to `params.run`. A parameter of the same name that is
    declared to be one section counts for nothing.
    """
    tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())
    loads = ("params.load()", "settings.load()", "settings.load(project)")
    assigned = {
        ast.unparse(node.targets[0]): node.value for node in ast.walk(tree) if isinstance(node, ast.Assign)
    }
    copies = {
        name: value
        for name, value in assigned.items()
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "pipeline.changed"
    }
    whole = {name for name, value in assigned.items() if ast.unparse(value) in loads} | copies.keys()
    handed = WHOLE | dict.fromkeys(copies, Params.model_fields)
    handed_on = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node not in copies.values()
        if ast.unparse(node.func) != "params.run"
        for argument in node.args
        for name in handed.get(ast.unparse(argument), ())
    }
    of_one_section = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for parameter in function.args.args
        if parameter.annotation and ast.unparse(parameter.annotation) in SECTIONS
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == parameter.arg
    }
    return handed_on | {
        section
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in (*loads, *whole)
        if node not in of_one_section
        for section in COMPOSED.get(node.attr, [node.attr])
    }


def sections_declared(stage: Stage) -> set[str]:
    """Sections that dvc.yaml names, whole or in part, of the project's params.yaml or of another file."""
    return {
        name.partition(".")[0]
        for entry in stage.declared.get("params", [])
        for name in (next(iter(entry.values())) if isinstance(entry, dict) else [entry])
    }


@every_stage
def test_a_stage_depends_on_all_the_code_it_imports_and_on_no_other(stage: Stage) -> None:
    code = {
        path
        for path in stage.paths("deps")
        if path.startswith(CODE)
        and not path.startswith(MADE_BY_RUNS)
        and not path.endswith((".csv", ".keras", "models", "scores", "runs", "deaths"))
    }
    files = imported(stage.module)
    # DVC ignores nothing outside a project: a study that named a folder would depend on its __pycache__.
    assert code == (rooms(files) if stage.project == ROOT else files)


@every_stage
def test_the_files_of_a_stage_are_named_in_one_order(stage: Stage) -> None:
    assert stage.declared["deps"] == sorted(stage.declared["deps"])


@every_stage
def test_a_stage_depends_on_the_installed_packages(stage: Stage) -> None:
    assert "requirements.txt" in stage.paths("deps")


def test_the_main_pipeline_reads_at_a_glance() -> None:
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 190
    for stage in STAGES:
        code = [path for path in stage.paths("deps") if not path.startswith(("data/", "models/", "plots/"))]
        assert stage.project != ROOT or len(code) <= 10, stage.name


@every_stage
def test_a_stage_declares_exactly_the_parameters_it_reads(stage: Stage) -> None:
    assert sections_declared(stage) == sections_read(stage.module)


@every_stage
def test_a_stage_and_its_cached_outputs_are_described(stage: Stage) -> None:
    assert stage.declared["desc"]
    for output in stage.declared.get("outs", []):
        options = next(iter(output.values()))
        assert options.get("cache") is False or options["desc"]


def test_training_depends_on_no_label_and_no_test_image() -> None:
    data = {path for path in TRAIN.paths("deps") if path.startswith("data/")}
    assert data == {"data/prepared/train_images.npy", "data/prepared/validation_images.npy"}


def test_training_depends_on_no_measure_and_no_picture() -> None:
    assert not TRAIN.paths("deps") & {"cae/measures", "cae/pictures"}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_dvc_can_read_every_committed_metric(project: Path) -> None:
    command = [sys.executable, "-m", "dvc", "metrics", "show", "--json"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    shown = json.loads(done.stdout)[""]["data"]
    assert "failed to load" not in done.stderr
    assert {project / name for name in shown} == set((project / "metrics").glob("*.json"))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_the_lock_file_has_the_declared_stages(project: Path) -> None:
    declared, locked = (
        yaml.safe_load((project / name).read_text())["stages"] for name in ("dvc.yaml", "dvc.lock")
    )
    assert {name.partition("@")[0] for name in locked} == set(declared)


@every_run_stage
def test_the_lock_file_has_the_declared_files(stage: Stage) -> None:
    def locked(kind: str) -> set[str]:
        return {stage.from_root(entry["path"]) for entry in stage.locked.get(kind, [])}

    def declared(*kinds: str) -> set[str]:
        return {re.sub(r"\$\{item\.\w+\}", stage.item, path) for path in stage.paths(*kinds)}

    assert locked("deps") == declared("deps")
    assert locked("outs") == declared("outs", "metrics", "plots")


@every_run_stage
def test_the_lock_file_has_the_committed_parameters(stage: Stage) -> None:
    for name, values in stage.locked.get("params", {}).items():
        committed = yaml.safe_load((ROOT / stage.from_root(name)).read_text())
        assert values == {key: reduce(getitem, key.split("."), committed) for key in values}
    recorded = {key for values in stage.locked.get("params", {}).values() for key in values}
    assert {key.partition(".")[0] for key in recorded} == sections_declared(stage)


def md5_of(path: Path) -> str:
    """Return the MD5 that DVC gives a file, or a folder without what .dvcignore names."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    entries = [
        {"md5": md5_of(file), "relpath": file.relative_to(path).as_posix()}
        for file in sorted(inputs.files(path), key=lambda file: file.relative_to(path).parts)
    ]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def outputs_made() -> Mapping[str, str]:
    """Name the checksum of everything that some stage made."""
    return {
        stage.from_root(entry["path"]): entry["md5"]
        for stage in STAGES
        for entry in stage.locked.get("outs", [])
    }


@every_run_stage
def test_the_lock_file_has_the_committed_files(stage: Stage) -> None:
    made = outputs_made()
    for entry in stage.locked["deps"] + stage.locked["outs"]:
        path = stage.from_root(entry["path"])
        if not path.startswith(MADE_BY_RUNS):
            stale = f"{path} has changed since the last run: dvc repro"
            assert entry["md5"] == md5_of(ROOT / path), stale
        elif path in made:
            assert entry["md5"] == made[path], f"{path} is not what another stage made"
