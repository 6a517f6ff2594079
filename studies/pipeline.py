"""Stages of the main pipeline once more with other parameters, in a folder of their own."""

import shutil
from collections.abc import Iterable, Sequence
from contextlib import chdir
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from cae.MISSING import Params
from stages.inputs import Inputs

import stages.train
from cae.core import files
from cae.core.config import Section
from stages import BASELINES, MODELS, PLOTS, PREPARED


def train(study: Path, name: str, settings: Params, inputs: Inputs) -> None:
    """Train a network; write STUDY/models/NAME.keras and, a row an epoch, STUDY/histories/NAME.csv.

    A training that was killed goes on after its last finished epoch.
    """
    folder = Path(".checkpoints") / study.name / name
    run([stages.train], folder, settings, inputs)
    inputs.check()
    for made, kept in (
        (MODELS / "autoencoder.keras", f"models/{name}.keras"),
        (PLOTS / "history.csv", f"histories/{name}.csv"),
    ):
        files.write_bytes(study / kept, (folder / made).read_bytes())
    shutil.rmtree(folder)


def run(modules: Sequence[ModuleType], folder: Path, settings: Params, inputs: Inputs) -> None:
    """Run stages in a folder with these settings and the main pipeline's data."""
    set_up(folder, settings, inputs, [module.__name__.rpartition(".")[2] for module in modules])
    for data in (PREPARED, BASELINES):
        link(folder / data, data)
    with chdir(folder):
        for module in modules:
            module.main()


def set_up(folder: Path, settings: Section, inputs: Inputs, names: Iterable[str]) -> None:
    """Make a project whose stages depend on what the study's stage depends on, and on nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    depends = {"deps": [], "params": [{"inputs.yaml": ["fingerprint"]}]}
    for file, content in {
        "params.yaml": settings.model_dump(mode="json"),
        "inputs.yaml": {"fingerprint": inputs.fingerprint},
        "dvc.yaml": {"stages": dict.fromkeys(names, depends)},
    }.items():
        (folder / file).write_text(yaml.safe_dump(content))


def link(place: Path, source: Path) -> None:
    """Make a symbolic link, or make it anew."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(source.resolve())


def changed(settings: Params, changes: dict[str, Any]) -> Params:
    """Return settings with some values changed, named as on DVC's command line: {"train.seed": 2}."""
    content = settings.model_dump(mode="json")
    for place, value in changes.items():
        *sections, key = place.split(".")
        section = content
        for name in sections:
            section = section[name]
        section[key] = value
    return Params.model_validate(content)
