"""Own pictures and the two worked examples by the real dvc command, on a small part."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.own.conftest import SMALL, drawn, write
from tests.pipeline.conftest import ROOT, Project

pytestmark = pytest.mark.slow

EXAMPLES = ("industrial", "medical")
# Training pieces do not overlap, and training is short.
SHORT: Mapping[str, Mapping[str, object]] = {
    "drawing": {"stride": 28},
    "train": {"epochs": 2},
    "model": {"residual": {"width": 32, "batch_size": 32}},
}


@pytest.fixture(scope="module")
def clone(new_project: Callable[[], Project]) -> Project:
    """A clone in which only these projects run."""
    return new_project()


@pytest.fixture(scope="module")
def own(clone: Project) -> Project:
    """Own pictures that went through all stages."""
    project = Project(clone.folder / "own")
    for index in range(20):
        write(project.folder / "images" / f"{index}.png", drawn((28, 28), index))
    project.set_params(SMALL)
    project.dvc("repro")
    return project


def test_all_stages_run_and_then_none(own: Project) -> None:
    assert own.dvc("status").stdout.strip() == "Data and pipelines are up to date."
    assert own.dvc("repro").stdout.count("didn't change, skipping") == 5


@pytest.mark.parametrize("command", [("metrics", "show"), ("dag",)], ids=" ".join)
def test_what_it_shows_fits_a_screen(own: Project, command: tuple[str, ...]) -> None:
    shown = own.dvc(*command).stdout
    assert 0 < max(map(len, shown.splitlines())) <= 200


def test_it_shows_every_chart(own: Project) -> None:
    charts = json.loads(own.dvc("plots", "show", "--json").stdout)["data"]
    assert set(charts) == {
        "plots/history.csv",
        "plots/reconstruction.csv",
        "plots/reconstructions/examples.png",
        "plots/reconstructions/loss_curves.png",
        "plots/codes/map.png",
        "plots/detection/examples.png",
        "plots/detection/scores.png",
    }


def test_another_spot_trains_nothing_anew_and_a_changed_picture_outdates_what_reads_it(
    own: Project, tmp_path: Path
) -> None:
    project = Project(shutil.copytree(own.folder.parent, tmp_path / "clone", symlinks=True) / "own")
    project.set_params({"anomaly": {"spot": 1.5}})
    assert project.dvc("repro").stdout.count("didn't change, skipping") == 4
    write(project.folder / "images" / "3.png", drawn((28, 28), 99))
    # Masks lie beside pictures, and detection reads them there.
    assert set(json.loads(project.dvc("status", "--json").stdout)) == {"prepare", "detect"}


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest, clone: Project) -> Project:
    """A worked example, shortened, after its stages."""
    project = Project(clone.folder / "studies" / request.param)
    # What was fetched for this checkout need not be fetched once more.
    if (raw := ROOT / "studies" / request.param / "data/raw").exists():
        shutil.copytree(raw, project.folder / "data/raw")
    project.set_params(SHORT)
    project.dvc("repro", "evaluate", "probe", "detect")
    return project


def test_an_example_goes_from_its_source_to_measures(example: Project) -> None:
    measured = json.loads((example.folder / "metrics/detect.json").read_text())
    assert set(measured) == {"auroc", "pixel_auroc", "aupro", "caught", "false_alarms"}
    assert 0 <= measured["auroc"] <= 1


@pytest.mark.parametrize("example", ["medical"], indirect=True)
def test_a_smaller_code_of_the_medical_example_is_measured_too(example: Project) -> None:
    example.dvc("repro", "detect_size@2")
    assert "auroc" in json.loads((example.folder / "sizes/2.json").read_text())
