"""Runs the stages of a study in a temporary folder, by their functions."""

import shutil
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from behaviour import examples
from cae.core import config, files, fingerprints
from cae.datasets import prepared
from stages import baselines, runner
from stages.runner.inputs import Inputs
from stages.runner.project import Project, Results

ROOT = Path(__file__).parents[2]
PARAMS: Mapping[str, Any] = {
    "data": {"source": "fashion-mnist"},
    "baselines": {"components": 144},
    "model": {"name": "convolutional", "convolutional": {"filters": [4, 3, 2]}},
    "train": {"epochs": 1, "seed": 1},
    "probes": {"labels_per_class": [2], "seeds": [1], "regularisation": [1.0]},
    "embedding": {"images": 40, "perplexity": 5.0},
}


def run(stage: Callable[..., Results], project: Project, *arguments: Any) -> Results:
    """Call a stage, write its results, remove its checkpoints, and return the results."""
    results = stage(project, *arguments)
    for path, content in results.items():
        runner.write_result(project.folder / path, content)
    shutil.rmtree(project.checkpoints, ignore_errors=True)
    return results


def make_pipeline(folder: Path) -> None:
    """Write what the main pipeline prepares, of a few images of 12 × 12 pixels, and its params.yaml."""
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    (folder / ".dvcignore").touch()
    for place, (split, count) in enumerate({"train": 96, "validation": 40, "test": 40}.items()):
        prepared_folder = folder / "data/prepared"
        files.write_array(prepared_folder / f"{split}_images.npy", examples.images(count, 12, 12, seed=place))
        files.write_array(prepared_folder / f"{split}_labels.npy", examples.labels(count))
    files.write_json(folder / "data/prepared" / prepared.CLASS_NAMES, list(examples.CLASS_NAMES))
    content = {name: PARAMS[name] for name in baselines.Settings.model_fields}
    settings = config.validate(content, baselines.Settings, folder / "params.yaml")
    run(baselines.baselines, Project(folder), settings)
    # Digests of no sources are never out of date.
    for name in ("datasets", "figures", "measures", "stages", "training"):
        files.write_json(
            folder / f"behaviour/{name}.json", {"sources": {"*.c": fingerprints.hash_files("*.c")}}
        )


def copy_study(name: str, params: Mapping[str, Any]) -> Path:
    """Copy what a study's stages depend on into the current folder, with other parameters."""
    folder = Path("studies") / name
    folder.mkdir(parents=True)
    for pattern in ("studies/*.py", f"{folder}/*.py", f"{folder}/*.csv", f"{folder}/dvc.yaml"):
        for file in ROOT.glob(pattern):
            shutil.copyfile(file, file.relative_to(ROOT))
    (folder / "params.yaml").write_text(yaml.safe_dump(dict(params)))
    return folder


def run_declared(study: str, stage: str, *arguments: str) -> None:
    """Run a stage of a study in the current folder with what its dvc.yaml declares, and check its outputs."""
    run_stage(f"studies.{study}.{stage}", Path("studies") / study, stage, *arguments)


def run_stage(module: str, folder: Path, stage: str, *arguments: str) -> None:
    """Run a stage of the project in a folder with what its dvc.yaml declares, and check its outputs."""
    project = Project(folder, Inputs.read(stage, folder, arguments))
    runner.call(getattr(import_module(module), stage), project, arguments)
    assert project.inputs is not None
    assert [path for path in project.inputs.outputs if not (folder / path).exists()] == []
