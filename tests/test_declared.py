"""Every dvc.yaml declares what its stages use, and every dvc.lock is the last run of the committed code.

The main pipeline depends on source files. Studies and `custom/` depend on their own files and on the digests
in `behaviour/` of what the library computes (tests/behaviour/test_studies.py).
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import grimp
import pytest
import yaml
from dvc.utils.serialize import modify_yaml

from cae.core.config import validate
from stages.runner import inputs
from stages.runner.inputs import is_within
from stages.runner.project import Results
from tests import ROOT

# The report is a project like the studies.
STUDIES = [ROOT / "report", *sorted(folder.parent for folder in ROOT.glob("studies/*/.dvc"))]
# Its stages have not run: it has no images.
CUSTOM = ROOT / "custom"
CODE = ("cae/", "report/", "stages/", "studies/")
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
    # Of a stage with a matrix the first value of every key, by `item.KEY`.
    item: dict[str, str]

    @property
    def module(self) -> str:
        """What its command runs: `python -m stages STAGE …`, with STUDY before STAGE for `studies`."""
        package, *names = self.declared["cmd"].partition("python -m ")[2].split()
        return ".".join([package, *names[: 2 if package == "studies" else 1]])

    @property
    def function(self) -> Callable[..., Results]:
        """What the runner calls."""
        function: Callable[..., Results] = getattr(import_module(self.module), self.name)
        return function

    def list_paths(self, *kinds: str) -> set[str]:
        """List its declared files of some kinds, from the top folder."""
        names = [name for kind in kinds for name in list_names(self.declared.get(kind, []))]
        return {
            self.resolve(inputs.replace_variables(name, self.project, self.item, inputs.read_mapping))
            for name in names
        }

    def list_parameters(self) -> list[tuple[str, str]]:
        """List file, from the top folder, and key of every declared parameter."""
        entries = inputs.list_parameters(self.project.relative_to(ROOT), self.declared.get("params", []))
        replace = partial(
            inputs.replace_variables, folder=self.project, item=self.item, read=inputs.read_mapping
        )
        return [(str(file), replace(key)) for file, key in entries]

    def resolve(self, path: str) -> str:
        """Turn a path of the project into one from the top folder."""
        return str(inputs.resolve(self.project.relative_to(ROOT), path))


def list_names(entries: list[str | dict[str, Any]]) -> list[str]:
    """List files that dvc.yaml declares, with or without options."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def list_stages() -> Iterator[Stage]:
    """Yield all stages."""
    for project in (ROOT, CUSTOM, *STUDIES):
        lock = project / "dvc.lock"
        locked = yaml.safe_load(lock.read_text())["stages"] if lock.exists() else {}
        for name, declared in yaml.safe_load((project / "dvc.yaml").read_text())["stages"].items():
            item = {key: find_first(project, values) for key, values in declared.get("matrix", {}).items()}
            full_name = f"{name}@{'-'.join(item.values())}" if item else name
            items = {f"item.{key}": value for key, value in item.items()}
            yield Stage(project, name, declared, locked.get(full_name, {}), items)


def find_first(project: Path, values: str | list[Any]) -> str:
    """Return the first value of a key of a matrix: a list, or `${PARAMETER}`."""
    if isinstance(values, str):
        values = inputs.find_value(inputs.read_mapping(project / "params.yaml"), values[2:-1])
    return str(values[0])


def for_each(stages: list[Stage]) -> pytest.MarkDecorator:
    """Run a test for each of some stages."""
    return pytest.mark.parametrize("stage", stages, ids=lambda stage: f"{stage.project.name}:{stage.name}")


STAGES = list(list_stages())
OF_ROOT = [stage for stage in STAGES if stage.project == ROOT]
every_stage = for_each(STAGES)
every_run_stage = for_each([stage for stage in STAGES if stage.project != CUSTOM])


def read_parameter(file: str, key: str) -> Any:
    """Read a parameter as it is committed."""
    value = inputs.find_value(inputs.read_mapping(ROOT / file), key)
    assert value != inputs.MISSING, f"{file} has no {key}"
    return value


# Parameters


@every_stage
def test_the_declared_parameters_are_exactly_the_settings_of_the_stage(stage: Stage) -> None:
    settings: dict[str, Any] = {}
    for file, key in stage.list_parameters():
        if not file.startswith("behaviour/"):
            inputs.insert(settings, key, read_parameter(file, key))
    hints = get_type_hints(stage.function)
    assert ("settings" in hints) == bool(settings)
    if settings:
        validate(settings, hints["settings"], stage.project / "params.yaml")
        # A section that is there, but not declared, would be ignored without a word.
        # A section whose default is None may be left out.
        fields = hints["settings"].model_fields.items()
        wanted = {name for name, field in fields if field.default is not None}
        assert inputs.read_mapping(stage.project / "params.yaml").keys() & wanted <= settings.keys()


@every_stage
def test_the_command_passes_the_arguments_that_the_stage_takes(stage: Stage) -> None:
    arguments = get_type_hints(stage.function).keys() - {"project", "settings", "return"}
    assert len(re.findall(r"\$\{item[.\w]*\}", stage.declared["cmd"])) == len(arguments)


@pytest.mark.parametrize("project", [ROOT, CUSTOM, *STUDIES], ids=lambda project: project.name)
def test_every_section_of_params_yaml_is_used(project: Path) -> None:
    inputs.check_sections(project, inputs.read_mapping(project / "dvc.yaml"), inputs.read_mapping)


# Dependencies


@cache
def build_graph() -> grimp.ImportGraph:
    """Return which module imports which."""
    graph = grimp.build_graph("cae", "report", "stages", "studies", cache_dir=None)
    # Only stages that train have checkpoints.
    graph.remove_import(importer="stages.runner.project", imported="cae.engine.checkpoints")
    return graph


def list_imports(module: str) -> set[str]:
    """List the files that a module and what it imports are in."""
    modules = {module, *build_graph().find_upstream_modules(module)}
    files = [Path(*name.split(".")) for name in modules]
    return {str(file / "__init__.py" if (ROOT / file).is_dir() else f"{file}.py") for file in files}


@for_each(OF_ROOT)
def test_a_stage_of_the_main_pipeline_depends_on_the_code_that_it_imports_and_on_no_other(
    stage: Stage,
) -> None:
    declared = {path for path in stage.list_paths("deps") if path.startswith(CODE)}
    imported = list_imports(stage.module) | list_imports("stages.runner")
    assert not {file for file in imported if not is_within(file, declared)}
    assert not {
        path for path in declared - {"cae/__init__.py"} if not any(is_within(f, [path]) for f in imported)
    }
    assert "requirements.txt" in stage.list_paths("deps")


@for_each([stage for stage in STAGES if stage.project != ROOT])
def test_a_stage_of_a_study_depends_on_the_modules_of_studies_that_it_imports(stage: Stage) -> None:
    declared = {path for path in stage.list_paths("deps") if path.endswith(".py")}
    assert declared == {
        file for file in list_imports(stage.module) if file.startswith(("report/", "studies/"))
    }


def test_training_depends_on_no_label_and_no_test_image_and_on_no_metric_and_no_figure() -> None:
    (train,) = (stage for stage in OF_ROOT if stage.name == "train")
    paths = train.list_paths("deps")
    assert {path for path in paths if path.startswith("data/")} == {
        "data/prepared/train_images.npy",
        "data/prepared/validation_images.npy",
    }
    assert not paths & {"cae/metrics", "cae/figures"}


# How a file is written


@pytest.mark.parametrize(
    "project", [ROOT, CUSTOM, ROOT / "behaviour", *STUDIES], ids=lambda folder: folder.name
)
def test_dvcs_own_writer_leaves_a_dvc_yaml_as_it_is(project: Path, tmp_path: Path) -> None:
    text = (project / "dvc.yaml").read_text()
    copy = tmp_path / "dvc.yaml"
    copy.write_text(text)
    with modify_yaml(str(copy)):
        pass
    assert copy.read_text() == text


@every_stage
def test_a_stage_is_described_and_its_files_are_in_order(stage: Stage) -> None:
    assert stage.declared["desc"]
    for kind in ("deps", "outs", "metrics", "plots"):
        names = list_names(stage.declared.get(kind, []))
        assert names == sorted(names)


# Results


@every_stage
def test_what_is_in_dvcs_cache_is_not_in_git(stage: Stage) -> None:
    entries = [entry if isinstance(entry, dict) else {entry: {}} for entry in stage.declared.get("outs", [])]
    cached = [entry for entry in entries for options in entry.values() if options.get("cache", True)]
    outputs = stage._replace(declared={"outs": cached}).list_paths("outs")
    assert not {name for name in COMMITTED if is_within(name, outputs)}


every_run_project = pytest.mark.parametrize(
    "project", [ROOT, ROOT / "behaviour", *STUDIES], ids=lambda folder: folder.name
)


@every_run_project
def test_every_committed_metric_is_declared(project: Path) -> None:
    declared = yaml.safe_load((project / "dvc.yaml").read_text())["stages"].values()
    metrics = {name for stage in declared for name in list_names(stage.get("metrics", []))}
    assert {str(path.relative_to(project)) for path in project.glob("metrics/*.json")} == metrics


@every_run_project
def test_the_lock_file_has_the_declared_stages(project: Path) -> None:
    declared, locked = (
        yaml.safe_load((project / name).read_text())["stages"] for name in ("dvc.yaml", "dvc.lock")
    )
    assert {name.partition("@")[0] for name in locked} == set(declared)


@every_run_stage
def test_the_lock_file_has_the_declared_files_and_committed_parameters(stage: Stage) -> None:
    def list_locked(kind: str) -> set[str]:
        return {stage.resolve(entry["path"]) for entry in stage.locked.get(kind, [])}

    assert list_locked("deps") == stage.list_paths("deps")
    assert list_locked("outs") == stage.list_paths("outs", "metrics", "plots")
    locked = {
        (stage.resolve(file), key): value
        for file, values in stage.locked.get("params", {}).items()
        for key, value in values.items()
    }
    assert locked == {(file, key): read_parameter(file, key) for file, key in stage.list_parameters()}


def compute_md5(path: Path) -> str:
    """Return the MD5 that DVC gives a file, or a folder without what .dvcignore names."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    entries = [
        {"md5": compute_md5(file), "relpath": file.relative_to(path).as_posix()}
        for file in sorted(inputs.list_files(path), key=lambda file: file.relative_to(path).parts)
    ]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


@every_run_stage
def test_the_lock_file_has_the_committed_files(stage: Stage) -> None:
    made = {
        one.resolve(entry["path"]): entry["md5"] for one in STAGES for entry in one.locked.get("outs", [])
    }
    for entry in stage.locked["deps"] + stage.locked["outs"]:
        path = stage.resolve(entry["path"])
        if any(is_within(name, [path]) for name in COMMITTED):
            assert entry["md5"] == compute_md5(ROOT / path), (
                f"{path} has changed since the last run: dvc repro"
            )
        elif path in made:
            assert entry["md5"] == made[path], f"{path} is not what another stage made"
