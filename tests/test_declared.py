"""dvc.yaml declares what the code uses, and dvc.lock is the last run of exactly this code.

The main pipeline depends on source files. Studies and `own/` depend on their own files and on the digests in
`behaviour/` of what the library computes (tests/behaviour/test_studies.py).
"""

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
from cae.MISSING import Params

from stages import inputs

ROOT = Path(__file__).parents[1]
STUDIES = tuple(sorted(folder.parent for folder in ROOT.glob("studies/*/.dvc")))
# A project without images: it has run nowhere yet.
OWN = ROOT / "own"
CODE = ("cae", "own", "stages", "studies")
# Properties of `own.settings.Own` that read sections themselves.
COMPOSED = {"run": ["model", "train"]}
# Stages that run another stage as a process of its own.
RUNS = {"studies.medical.detect_size": "own.detect", "studies.medical.train_size": "own.train"}
# How an annotation names one section of params.yaml.
SECTIONS = {
    f"params.{field.annotation.__name__}" for field in Params.model_fields.values() if field.annotation
}
# What git has, or would have with `git add`: all else was made by runs, and is in DVC's cache at most.
COMMITTED = {
    name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if not name.endswith(".gitignore")
}


class Stage(NamedTuple):
    """A stage of one of the projects, as declared in dvc.yaml and as run, in dvc.lock."""

    project: Path
    name: str
    declared: dict[str, Any]
    locked: dict[str, Any]
    item: str = ""  # of a matrix, the first value

    @property
    def module(self) -> str:
        """What its command runs: `… python -m PACKAGE STAGE …`, of a study `… -m studies STUDY STAGE …`."""
        words = self.declared["cmd"].partition("python -m ")[2].split()
        return ".".join(words[: 3 if words[0] == "studies" else 2])

    def paths(self, *kinds: str) -> set[str]:
        """Its declared files of some kinds, from the root, with or without options."""
        entries = [entry for kind in kinds for entry in self.declared.get(kind, [])]
        return {self.from_root(next(iter(entry)) if isinstance(entry, dict) else entry) for entry in entries}

    def from_root(self, path: str) -> str:
        """Turn a path of this project's, which may name a parameter, into one from the root."""
        named = re.sub(r"\$\{(?!item\.|key\})([\w.]+)\}", self.parameter, path)
        return str(inputs.from_here(self.project.relative_to(ROOT), named))

    def parameter(self, named: re.Match[str]) -> str:
        """Look up what stands for a name in params.yaml."""
        return str(reduce(getitem, named[1].split("."), inputs.mapping(self.project / "params.yaml")))


def stages() -> Iterator[Stage]:
    """All stages; of a matrix, which has one command for all, the first."""
    for project in (ROOT, *STUDIES, OWN):
        declared = yaml.safe_load((project / "dvc.yaml").read_text())["stages"]
        lock = project / "dvc.lock"
        locked = yaml.safe_load(lock.read_text())["stages"] if lock.exists() else {}
        for name, stage in declared.items():
            key = next((key for key in locked if key.partition("@")[0] == name), name)
            yield Stage(project, name, stage, locked.get(key, {}), key.partition("@")[2])


def of_each(stages: list[Stage]) -> pytest.MarkDecorator:
    """Run a test for each of some stages."""
    return pytest.mark.parametrize("stage", stages, ids=lambda stage: f"{stage.project.name}:{stage.name}")


STAGES = list(stages())
OF_ROOT, OTHERS = (
    [stage for stage in STAGES if (stage.project == ROOT) is of_root] for of_root in (True, False)
)
(TRAIN,) = (stage for stage in OF_ROOT if stage.name == "train")
every_stage = of_each(STAGES)
every_run_stage = of_each([stage for stage in STAGES if stage.project != OWN])


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


def folders(files: frozenset[str]) -> set[str]:
    """Name files of the library by their folder, as the root's dvc.yaml does."""
    return {str(Path(*Path(file).parts[:2])) if file.count("/") > 1 else file for file in files}


def sections_read(module: str) -> set[str]:
    """Sections that a stage of the main pipeline or of `own/` takes from its params.

    Every NAME in `….load().NAME`, and in `settings.NAME` after `settings = params.load()`. A parameter of the
    same name that is declared to be one section counts for nothing.
    """
    tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())
    loads = ("params.load()", "settings.load(project)")
    whole = {
        ast.unparse(node.targets[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.value) in loads
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
    return {
        section
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in (*loads, *whole)
        if node not in of_one_section
        for section in COMPOSED.get(node.attr, [node.attr])
    }


def parameters_declared(stage: Stage) -> dict[str, list[str]]:
    """Name the parameters that dvc.yaml declares, by their file from the root."""
    declared: dict[str, list[str]] = {}
    for entry in stage.declared.get("params", []):
        for file, keys in entry.items() if isinstance(entry, dict) else [("params.yaml", [entry])]:
            declared.setdefault(stage.from_root(file), []).extend(keys)
    return declared


def of_own_params(stage: Stage) -> set[str]:
    """Name the sections that dvc.yaml declares of the project's own params.yaml, whole or in part."""
    keys = parameters_declared(stage).get(stage.from_root("params.yaml"), [])
    return {key.partition(".")[0] for key in keys}


def committed(file: str, key: str) -> Any:
    """Look up a parameter as it is now; KeyError where it is not there."""
    return reduce(getitem, key.split("."), yaml.safe_load((ROOT / file).read_text()))


@of_each(OF_ROOT)
def test_a_stage_of_the_pipeline_depends_on_all_the_code_it_imports_and_on_no_other(stage: Stage) -> None:
    code = {path for path in stage.paths("deps") if path.startswith(CODE)}
    assert code == folders(imported(stage.module) | imported("stages.command"))


@of_each(OTHERS)
def test_a_stage_elsewhere_depends_on_all_it_imports_of_studies_and_of_own(stage: Stage) -> None:
    code = {path for path in stage.paths("deps") if path.endswith(".py")}
    files = imported(stage.module) | imported(RUNS.get(stage.module, stage.module))
    assert code == {file for file in files if not file.startswith(("cae/", "stages/"))}


@pytest.mark.parametrize("project", [OWN, *STUDIES], ids=lambda project: project.name)
@pytest.mark.parametrize("name", ["dvc.yaml", "dvc.lock"])
def test_no_study_names_a_file_of_the_library(project: Path, name: str) -> None:
    if name == "dvc.yaml" or project != OWN:
        text = (project / name).read_text()
        assert not re.search(r"\.\./(cae|stages)/|requirements\.txt", text)


@every_stage
def test_the_files_of_a_stage_are_named_in_one_order(stage: Stage) -> None:
    assert stage.declared["deps"] == sorted(stage.declared["deps"])


@of_each(OF_ROOT)
def test_a_stage_of_the_pipeline_depends_on_the_installed_packages(stage: Stage) -> None:
    assert "requirements.txt" in stage.paths("deps")


@of_each([stage for stage in STAGES if not stage.module.startswith("studies.")])
def test_a_stage_declares_exactly_the_parameters_it_reads(stage: Stage) -> None:
    assert of_own_params(stage) == sections_read(stage.module)


@every_stage
def test_every_parameter_that_a_stage_declares_exists(stage: Stage) -> None:
    for file, keys in parameters_declared(stage).items():
        for key in keys:
            committed(file, key)


@every_stage
def test_a_stage_and_its_cached_outputs_are_described(stage: Stage) -> None:
    assert stage.declared["desc"]
    for output in stage.declared.get("outs", []):
        options = next(iter(output.values()))
        assert options.get("cache") is False or options["desc"]


@every_stage
def test_what_is_in_dvcs_cache_is_not_in_git(stage: Stage) -> None:
    cached = [
        path
        for output in stage.declared.get("outs", [])
        for path, options in output.items()
        if options.get("cache", True)
    ]
    made = {stage.from_root(re.sub(r"\$\{(item\.\w+|key)\}", stage.item, path)) for path in cached}
    assert not {name for name in COMMITTED if any(Path(name).is_relative_to(path) for path in made)}


def test_training_depends_on_no_label_and_no_test_image() -> None:
    data = {path for path in TRAIN.paths("deps") if path.startswith("data/")}
    assert data == {"data/prepared/train_images.npy", "data/prepared/validation_images.npy"}


def test_training_depends_on_no_measure_and_no_figure() -> None:
    assert not TRAIN.paths("deps") & {"cae/metrics", "cae/figures"}


every_run_project = pytest.mark.parametrize(
    "project",
    [ROOT, ROOT / "behaviour", *STUDIES],
    ids=lambda project: project.name,
)


@every_run_project
def test_dvc_can_read_every_committed_metric(project: Path) -> None:
    command = [sys.executable, "-m", "dvc", "metrics", "show", "--json"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    shown = json.loads(done.stdout).get("", {}).get("data", {})
    assert "failed to load" not in done.stderr
    assert {project / name for name in shown} == set((project / "metrics").glob("*.json"))


@every_run_project
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
        return {re.sub(r"\$\{(item\.\w+|key)\}", stage.item, path) for path in stage.paths(*kinds)}

    assert locked("deps") == declared("deps")
    assert locked("outs") == declared("outs", "metrics", "plots")


@every_run_stage
def test_the_lock_file_has_the_committed_parameters(stage: Stage) -> None:
    locked = {stage.from_root(file): values for file, values in stage.locked.get("params", {}).items()}
    assert locked == {
        file: {key: committed(file, key) for key in keys} for file, keys in parameters_declared(stage).items()
    }


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
        if path in COMMITTED or any(name.startswith(f"{path}/") for name in COMMITTED):
            stale = f"{path} has changed since the last run: dvc repro"
            assert entry["md5"] == md5_of(ROOT / path), stale
        elif path in made:
            assert entry["md5"] == made[path], f"{path} is not what another stage made"
