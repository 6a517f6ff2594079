"""Own images and the two worked examples by the real dvc command, on a small part."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import ROOT
from tests.pipeline.conftest import Project

SMALL: Mapping[str, Mapping[str, object]] = {
    "split": {"train": 0.4, "validation": 0.2, "threshold": 0.2, "test": 0.2},
    "model": {"discriminative": {"batch_size": 8, "width": 2}},
    "train": {"epochs": 2},
    "anomaly": {"false_alarms": 0.3},
}
# Training images do not overlap, and training is short.
SHORT: Mapping[str, Mapping[str, object]] = {
    "drawing": {"stride": 28},
    "train": {"epochs": 2},
    "model": {"discriminative": {"width": 2}},
    "residual": {"model": {"residual": {"width": 32, "batch_size": 32}}, "train": {"epochs": 2}},
}
STAGES = 6


def write_image(path: Path, seed: int) -> None:
    """Write a grey image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)).save(path)


@pytest.fixture(scope="module")
def clone(new_project: Callable[[], Project]) -> Project:
    """A clone in which only these projects run."""
    return new_project()


@pytest.fixture(scope="module")
def custom(clone: Project) -> Project:
    """Own images that went through all stages."""
    project = Project(clone.folder / "custom")
    for index in range(30):
        write_image(project.folder / f"images/{index}.png", index)
    project.set_params(SMALL)
    project.dvc("repro")
    return project


def test_all_stages_run_and_then_none(custom: Project) -> None:
    assert custom.dvc("status").stdout.strip() == "Data and pipelines are up to date."
    assert custom.dvc("repro").stdout.count("didn't change, skipping") == STAGES


@pytest.mark.parametrize("command", [("metrics", "show"), ("dag",)], ids=" ".join)
def test_what_it_shows_fits_a_screen(custom: Project, command: tuple[str, ...]) -> None:
    shown = custom.dvc(*command).stdout
    assert 0 < max(map(len, shown.splitlines())) <= 160


def test_every_chart_and_figure_is_shown(custom: Project) -> None:
    shown = json.loads(custom.dvc("plots", "show", "--json").stdout)
    assert shown.get("errors", []) == []
    assert set(shown["data"]) >= {
        "plots/history.csv",
        "plots/reconstruction.csv",
        "plots/reconstructions/examples.png",
        "plots/reconstructions/loss_curves.png",
        "plots/codes/embeddings.png",
        "plots/detection/examples.png",
        "plots/detection/scores.png",
    }


def test_another_smoothing_trains_nothing_and_a_changed_image_outdates_what_reads_it(
    custom: Project, tmp_path: Path
) -> None:
    project = Project(shutil.copytree(custom.folder.parent, tmp_path / "clone", symlinks=True) / "custom")
    project.set_params({"anomaly": {"smoothing": 1.5}})
    assert "Running stage 'train'" not in project.dvc("repro").stdout
    write_image(project.folder / "images/3.png", 99)
    # Masks lie beside images, and detection reads them there.
    assert set(json.loads(project.dvc("status", "--json").stdout)) == {"prepare", "detect"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["industrial", "medical"])
def test_a_worked_example_goes_from_its_source_to_measures(name: str, clone: Project) -> None:
    project = Project(clone.folder / "studies" / name)
    # What was fetched for this checkout need not be fetched once more.
    if (raw := ROOT / "studies" / name / "data/raw").exists():
        shutil.copytree(raw, project.folder / "data/raw")
    of_both = {section: values for section, values in SHORT.items() if section != "residual"}
    project.set_params(SHORT if name == "medical" else of_both)
    project.dvc("repro", "evaluate", "probe", "detect")
    measured = json.loads((project.folder / "metrics/detect.json").read_text())
    assert set(measured) == {"auroc", "pixel_auroc", "aupro", "caught", "false_alarms"}
    if name == "medical":
        project.dvc("repro", "detect_size@2")
        assert "auroc" in json.loads((project.folder / "sizes/2.json").read_text())
