"""Every dvc command answers as its documentation says."""

import json
from pathlib import Path

import pytest

from tests.pipeline.conftest import Project

pytestmark = pytest.mark.slow

MADE = [
    "data/prepared/train_images.npy",
    "data/prepared/validation_labels.npy",
    "data/prepared/test_indices.npy",
    "models/autoencoder.keras",
    "models/encoder.keras",
    "metrics/train.json",
    "metrics/evaluate.json",
    "plots/history.csv",
    "plots/loss_curves.png",
    "plots/reconstructions.png",
    "plots/extremes.png",
    "plots/error_by_class.csv",
    "plots/error_by_class.png",
    "plots/error_distribution.png",
    "metrics/probe.json",
    "plots/transfer.csv",
    "plots/confusion.csv",
    "plots/transfer.png",
    "plots/maps.png",
    "plots/map_of_images.png",
    "plots/retrieval.png",
    "plots/interpolation.png",
]


@pytest.mark.parametrize("name", MADE)
def test_repro_makes(name: str, finished: Project) -> None:
    assert (finished.folder / name).stat().st_size > 0


def test_repro_leaves_nothing_uncommitted_but_its_results(finished: Project) -> None:
    changed = finished.git("show", "--name-only", "--format=", "HEAD").split()
    assert "dvc.lock" in changed
    assert all(name == "dvc.lock" or name.startswith(("metrics/", "plots/")) for name in changed)


def test_a_second_repro_has_nothing_to_do(project: Project) -> None:
    assert "Data and pipelines are up to date." in project.dvc("repro").stdout
    assert project.git("status", "--porcelain") == ""


def test_status_names_the_stage_that_a_changed_parameter_outdates(project: Project) -> None:
    assert json.loads(project.dvc("status", "--json").stdout) == {}
    project.set_params({"train": {"epochs": 1}})
    assert list(json.loads(project.dvc("status", "--json").stdout)) == ["train"]


def test_dag_runs_from_prepare_through_train_to_evaluate(project: Project) -> None:
    drawn = project.dvc("dag", "--dot").stdout
    for edge in ("prepare -> train", "prepare -> evaluate", "train -> evaluate", "train -> probe"):
        before, _, after = edge.partition(" -> ")
        assert f'"{before}" -> "{after}"' in drawn


def test_metrics_show_has_the_floor_and_every_baseline(project: Project) -> None:
    shown = json.loads(project.dvc("metrics", "show", "--json").stdout)
    scores = shown[""]["data"]["metrics/evaluate.json"]["data"]
    assert set(scores) == {"bce_floor", "cae", "pca", "mean_image"}
    for method in ("cae", "pca", "mean_image"):
        assert set(scores[method]) == {"bce", "bce_excess", "mse", "mae", "psnr", "psnr_of_mean_mse", "ssim"}
        assert scores[method]["bce_excess"] == pytest.approx(
            scores[method]["bce"] - scores["bce_floor"], abs=1e-9
        )


def test_a_fresh_clone_shows_metrics_and_plots_at_once(project: Project, tmp_path: Path) -> None:
    project.run("git", "clone", "--quiet", str(project.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    assert "cae" in clone.dvc("metrics", "show").stdout
    plots = json.loads(clone.dvc("plots", "show", "--json").stdout)
    assert plots.get("errors", []) == []
    assert len(plots["data"]) >= 10


def test_an_experiment_changes_parameters_metrics_and_plots(project: Project) -> None:
    project.dvc("exp", "run", "--set-param", "train.epochs=1", "--name", "shorter")
    params = json.loads(project.dvc("params", "diff", "--json").stdout)
    assert params["params.yaml"]["train.epochs"] == {"old": 2, "new": 1, "diff": -1}
    metrics = json.loads(project.dvc("metrics", "diff", "--json").stdout)
    assert metrics["metrics/train.json"]["epochs"]["diff"] == -1
    assert metrics["metrics/evaluate.json"]["cae.bce"]["diff"] > 0
    plots = json.loads(project.dvc("plots", "diff", "HEAD", "--json").stdout)
    assert plots.get("errors", []) == []
    loss = plots["data"]["dvc.yaml::plots/history.csv"]
    assert {revision for chart in loss for revision in chart["revisions"]} == {"HEAD", "workspace"}
    shown = project.dvc("exp", "show", "--csv").stdout
    assert "shorter" in shown
    assert "cae.bce" in shown


def test_queued_experiments_run(project: Project) -> None:
    project.dvc("exp", "run", "--queue", "--set-param", "train.epochs=1", "--name", "queued")
    project.dvc("queue", "start")
    project.dvc("queue", "logs", "queued", "--follow")
    assert "queued" in project.dvc("exp", "show", "--csv").stdout
    assert "Success" in project.dvc("queue", "status").stdout


def test_a_parameter_changed_and_changed_back_trains_nothing(project: Project) -> None:
    before = project.read("dvc.lock")
    project.set_params({"train": {"epochs": 1}})
    project.dvc("repro")
    assert project.read("dvc.lock") != before
    project.git("checkout", "--quiet", "params.yaml")
    again = project.dvc("repro").stdout
    assert "Stage 'train' is cached - skipping run" in again
    assert "Stage 'evaluate' is cached - skipping run" in again
    assert project.read("dvc.lock") == before
    assert project.git("status", "--porcelain") == ""


def test_artifacts_travel_through_a_folder_remote_to_a_fresh_clone(project: Project, tmp_path: Path) -> None:
    project.dvc("remote", "add", "--default", "storage", str(tmp_path / "storage"))
    project.dvc("push")
    project.commit()
    project.run("git", "clone", "--quiet", str(project.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.dvc("pull")
    assert clone.read("models/autoencoder.keras") == project.read("models/autoencoder.keras")
    assert "Data and pipelines are up to date." in clone.dvc("repro").stdout


def test_charts_have_titles_and_axis_labels(project: Project) -> None:
    plots = json.loads(project.dvc("plots", "show", "--json").stdout)["data"]
    charts = [chart for renderings in plots.values() for chart in renderings if chart["type"] == "vega"]
    assert len(charts) >= 6
    titles = [chart["content"]["title"]["text"] for chart in charts]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if title.startswith("plots/") or title.startswith("dvc.yaml")]


def test_training_and_validation_loss_stand_on_one_chart(project: Project) -> None:
    plots = json.loads(project.dvc("plots", "show", "--json").stdout)["data"]
    (loss,) = plots["dvc.yaml::plots/history.csv"]
    assert {row["field"] for row in loss["content"]["data"]["values"]} == {"loss", "val_loss"}
