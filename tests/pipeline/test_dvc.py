"""Every dvc command answers as its documentation says."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests import ROOT
from tests.pipeline.conftest import Project

MADE = [
    "data/prepared/train_images.npy",
    "data/prepared/validation_labels.npy",
    "data/prepared/test_indices.npy",
    "data/prepared/class_names.json",
    "data/baselines/pca_directions.npy",
    "models/autoencoder.keras",
    "models/encoder.keras",
    "metrics/train.json",
    "metrics/evaluate.json",
    "metrics/probe.json",
    "data/baselines/floors.csv",
    "plots/history.csv",
    "plots/reconstruction.csv",
    "plots/error_by_class.csv",
    "plots/error_percentiles.csv",
    "plots/probes.csv",
    "plots/embeddings.csv",
    "plots/confusion.csv",
    "plots/reconstructions/examples.png",
    "plots/reconstructions/loss_curves.png",
    "plots/reconstructions/extremes.png",
    "plots/reconstructions/error_by_class.png",
    "plots/reconstructions/error_distribution.png",
    "plots/codes/transfer.png",
    "plots/codes/embeddings.png",
    "plots/codes/embedding_of_images.png",
    "plots/codes/retrieval.png",
    "plots/codes/interpolation.png",
]
# What two experiments are compared by.
METRICS = {
    "metrics/train.json": {"best_epoch", "loss", "val_loss"},
    "metrics/evaluate.json": {"bce", "mse", "mse_over_pca", "ssim"},
    "metrics/probe.json": {"linear_accuracy", "knn_accuracy"},
}


def test_repro_makes_every_result(finished: Project) -> None:
    assert [name for name in MADE if not (finished.folder / name).stat().st_size] == []


def test_repro_leaves_nothing_uncommitted_but_its_results(finished: Project) -> None:
    changed = finished.git("show", "--name-only", "--format=", "HEAD").split()
    # What DVC keeps out of git, it says in a .gitignore beside it.
    written = ("dvc.lock", "data/.gitignore", "metrics/", "plots/")
    assert "dvc.lock" in changed
    assert all(name.startswith(written) for name in changed)


def test_a_second_repro_has_nothing_to_do(finished: Project) -> None:
    assert "Data and pipelines are up to date." in finished.dvc("repro").stdout
    assert finished.git("status", "--porcelain") == ""


def width(text: str) -> int:
    """Return the characters of the longest line."""
    return max(map(len, text.splitlines()))


def test_status_names_the_stage_that_a_changed_parameter_outdates(project: Project) -> None:
    assert json.loads(project.dvc("status", "--json").stdout) == {}
    project.set_params({"train": {"epochs": 1}})
    assert list(json.loads(project.dvc("status", "--json").stdout)) == ["train"]


def test_bytecode_and_editors_files_among_the_sources_outdate_nothing(project: Project) -> None:
    assert list(project.folder.glob("cae/*/__pycache__"))
    (project.folder / "cae/engine/steps.py~").touch()
    (project.folder / "stages/.train.py.swp").touch()
    assert json.loads(project.dvc("status", "--json").stdout) == {}


def test_dag_runs_from_prepare_through_train_to_evaluate(finished: Project) -> None:
    drawn = finished.dvc("dag", "--dot").stdout
    edges = {
        "prepare -> baselines",
        "prepare -> train",
        "prepare -> evaluate",
        "prepare -> probe",
        "baselines -> evaluate",
        "baselines -> probe",
        "train -> evaluate",
        "train -> probe",
    }
    assert {line.strip().rstrip(";").replace('"', "") for line in drawn.splitlines() if "->" in line} == edges
    assert width(finished.dvc("dag").stdout) <= 100


def test_dvc_itself_writes_the_pipeline_as_it_stands(project: Project) -> None:
    project.dvc("freeze", "train")
    project.dvc("unfreeze", "train")
    assert project.git("status", "--porcelain") == ""


def test_metrics_are_the_few_that_experiments_are_compared_by_and_fit_a_screen(finished: Project) -> None:
    shown = json.loads(finished.dvc("metrics", "show", "--json").stdout)[""]["data"]
    assert {name: set(content["data"]) for name, content in shown.items()} == METRICS
    assert width(finished.dvc("metrics", "show").stdout) <= 160


def test_metrics_agree_with_the_floor_and_the_baselines(finished: Project) -> None:
    ours = json.loads(finished.read("metrics/evaluate.json"))
    table = pd.read_csv(finished.folder / "plots/reconstruction.csv").set_index("method")
    assert list(table.index) == ["autoencoder", "PCA", "mean image", "floor"]
    assert ours["mse_over_pca"] == pytest.approx(ours["mse"] / table.loc["PCA", "mse"])
    floors = pd.read_csv(finished.folder / "data/baselines/floors.csv").set_index("split")["floor"]
    assert table.loc["floor", "bce"] == floors["test"]


def test_a_fresh_clone_shows_metrics_and_plots_at_once(project: Project, tmp_path: Path) -> None:
    project.run("git", "clone", "--quiet", str(project.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    assert "mse_over_pca" in clone.dvc("metrics", "show").stdout
    plots = json.loads(clone.dvc("plots", "show", "--json").stdout)
    assert plots.get("errors", []) == []
    assert set(declared_charts(project)) | set(list_figures(project)) == set(plots["data"])


@pytest.fixture(scope="module")
def shorter(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project after one experiment with fewer epochs, not to be changed, and what dvc printed."""
    folder = tmp_path_factory.mktemp("shorter") / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    project = Project(folder)
    return project, project.dvc("exp", "run", "--set-param", "train.epochs=1", "--name", "shorter").stdout


def test_an_experiment_computes_no_baseline_anew(shorter: tuple[Project, str]) -> None:
    _, output = shorter
    assert "Stage 'baselines' didn't change, skipping" in output
    assert "Running stage 'train'" in output


def test_an_experiment_changes_parameters_metrics_and_plots(shorter: tuple[Project, str]) -> None:
    project, _ = shorter
    params = json.loads(project.dvc("params", "diff", "--json").stdout)
    assert params["params.yaml"]["train.epochs"] == {"old": 2, "new": 1, "diff": -1}
    metrics = json.loads(project.dvc("metrics", "diff", "--json").stdout)
    assert metrics["metrics/train.json"]["best_epoch"]["diff"] == -1
    assert metrics["metrics/evaluate.json"]["bce"]["diff"] > 0
    plots = json.loads(project.dvc("plots", "diff", "HEAD", "--json").stdout)
    assert plots.get("errors", []) == []
    loss = plots["data"]["Binary cross-entropy by epoch"]
    assert {revision for chart in loss for revision in chart["revisions"]} == {"HEAD", "workspace"}


def test_experiments_are_shown_in_few_columns(shorter: tuple[Project, str]) -> None:
    project, _ = shorter
    header, *rows = project.dvc("exp", "show", "--csv").stdout.splitlines()
    columns = header.split(",")
    assert any("shorter" in row for row in rows)
    # Each network has a column for each of its settings in params.yaml.
    assert len(columns) <= 90
    paths = ("cae/", "stages/", "data/", "models/", "plots/", "requirements.txt")
    assert len([name for name in columns if name.startswith(paths)]) <= 30


def test_the_view_of_experiments_that_the_page_shows_fits_a_screen(shorter: tuple[Project, str]) -> None:
    project, _ = shorter
    (command,) = re.findall(
        r"^dvc (exp show --only-changed .*)$", (ROOT / "docs/dvc.md").read_text(), re.MULTILINE
    )
    shown = project.dvc(*shlex.split(command, comments=True)).stdout
    assert "bce" in shown
    assert "shorter" in shown
    assert width(shown) <= 125


def test_a_wrong_value_on_the_command_line_is_named(project: Project) -> None:
    done = project.dvc("exp", "run", "--set-param", "model.convolutional.filters=[32,16]", check=False)
    assert done.returncode != 0
    assert "model.convolutional.filters: [32, 16] must be three numbers" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_an_experiment_on_the_network_itself_runs_through(project: Project) -> None:
    project.dvc("exp", "run", "--set-param", "model.convolutional.filters=[16,8,4]", "--name", "narrow")
    table = pd.read_csv(project.folder / "plots/reconstruction.csv").set_index("method")
    assert table.loc[["autoencoder", "PCA"], "code_size"].tolist() == [64, 64]
    plots = json.loads(project.dvc("plots", "show", "--json").stdout)
    assert plots.get("errors", []) == []


@pytest.mark.slow
def test_the_stock_engine_trains_without_a_compiler(project: Project) -> None:
    fast = json.loads(project.read("metrics/train.json"))
    project.set_params({"train": {"engine": "stock"}})
    assert list(json.loads(project.dvc("status", "--json").stdout)) == ["train"]
    project.run("python", "-m", "stages", "train", CC="no-such-compiler")
    stock = json.loads(project.read("metrics/train.json"))
    # Other last bits, and hardly more.
    assert stock == pytest.approx(fast, rel=1e-4)


@pytest.mark.slow
def test_queued_runs_take_the_downloads_along_and_can_be_removed(project: Project) -> None:
    # The first is the run that there is: nothing of it is computed again.
    project.dvc("exp", "run", "--queue", "--copy-paths", "data/raw", "--set-param", "split.seed=1,2")
    listed = project.dvc("queue", "status").stdout
    names = [line.split()[1] for line in listed.partition("\n\n")[0].splitlines()[1:]]
    assert len(names) == 2
    project.dvc("queue", "start")
    logs = [project.dvc("queue", "logs", name, "--follow").stdout for name in names]
    assert any("Fashion-MNIST from data/raw: every byte as expected" in log for log in logs)
    assert project.dvc("queue", "status").stdout.count("Success") == 2
    assert all(name in project.dvc("exp", "show", "--csv").stdout for name in names)
    project.dvc("exp", "remove", *names)
    assert not any(name in project.dvc("exp", "show", "--csv").stdout for name in names)


def test_a_parameter_changed_and_changed_back_trains_nothing(project: Project) -> None:
    before = project.read("dvc.lock")
    project.set_params({"train": {"epochs": 1}})
    project.dvc("repro", "evaluate")
    assert project.read("dvc.lock") != before
    project.git("checkout", "--quiet", "params.yaml")
    again = project.dvc("repro").stdout
    assert "Stage 'train' is cached - skipping run" in again
    assert project.read("dvc.lock") == before
    assert project.git("status", "--porcelain") == ""


@pytest.fixture(scope="module")
def pushed(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose artifacts lie in a remote that its committed settings name."""
    folder = tmp_path_factory.mktemp("pushed")
    project = Project(shutil.copytree(finished.folder, folder / "project", symlinks=True))
    project.dvc("remote", "add", "--force", "--default", "storage", str(folder / "storage"))
    project.dvc("push")
    project.commit()
    return project


@pytest.fixture
def clone(pushed: Project, tmp_path: Path) -> Project:
    """A fresh clone of it, studies and all, in which nothing has run."""
    pushed.run("git", "clone", "--quiet", str(pushed.folder), str(tmp_path / "clone"))
    return Project(tmp_path / "clone")


def test_artifacts_travel_through_a_folder_remote_to_a_fresh_clone(pushed: Project, clone: Project) -> None:
    clone.dvc("pull")
    assert clone.read("models/autoencoder.keras") == pushed.read("models/autoencoder.keras")
    assert json.loads(clone.dvc("status", "--json").stdout) == {}
    assert "Data and pipelines are up to date." in clone.dvc("repro").stdout


def test_checkout_brings_back_what_was_removed(project: Project) -> None:
    model = project.read("models/autoencoder.keras")
    (project.folder / "models/autoencoder.keras").unlink()
    project.dvc("checkout")
    assert project.read("models/autoencoder.keras") == model


@pytest.mark.parametrize("name", ["autoencoder", "encoder"])
def test_a_tagged_model_is_fetched_from_outside(name: str, pushed: Project, tmp_path: Path) -> None:
    # What the tool gto writes, by which DVC finds versions of an artifact.
    pushed.git("tag", "--annotate", f"{name}@v1.0.0", "--message", "the first version")
    elsewhere = Project(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.dvc("artifacts", "get", str(pushed.folder), name, "--rev", "v1.0.0")
    assert elsewhere.read(f"{name}.keras") == pushed.read(f"models/{name}.keras")


def test_a_model_is_fetched_from_outside_by_its_path(pushed: Project, tmp_path: Path) -> None:
    elsewhere = Project(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.dvc("get", str(pushed.folder), "models/encoder.keras")
    assert elsewhere.read("encoder.keras") == pushed.read("models/encoder.keras")


def declared_charts(project: Project) -> dict[str, str]:
    """Map the ID of every chart in dvc.yaml to its title."""
    content = yaml.safe_load(project.read("dvc.yaml"))
    of_stages = [plot for stage in content["stages"].values() for plot in stage.get("plots", [])]
    titled = [(name, props) for plot in of_stages for name, props in plot.items() if "title" in props]
    return {name: props["title"] for name, props in titled} | {
        name: name for plot in content["plots"] for name in plot
    }


def list_figures(project: Project) -> list[str]:
    """List the pictures that the stages draw."""
    return [path.relative_to(project.folder).as_posix() for path in project.folder.glob("plots/*/*.png")]


@pytest.fixture(scope="module")
def plots(finished: Project) -> dict[str, Any]:
    """What dvc plots show says, by the IDs of charts and pictures."""
    shown: dict[str, Any] = json.loads(finished.dvc("plots", "show", "--json").stdout)["data"]
    return shown


def test_every_declared_chart_and_picture_is_drawn_once_under_a_title(
    plots: dict[str, Any], finished: Project
) -> None:
    charts = {name: chart for name, (chart,) in plots.items() if chart["type"] == "vega"}
    declared = declared_charts(finished)
    assert {name: chart["content"]["title"]["text"] for name, chart in charts.items()} == declared
    assert len(set(declared.values())) == len(declared)
    assert {name for name, (chart,) in plots.items() if chart["type"] == "image"} == set(
        list_figures(finished)
    )


@pytest.mark.parametrize(
    ("chart", "lines"),
    [
        ("Binary cross-entropy by epoch", {"loss", "val_loss"}),
        (
            "Accuracy of linear probes",
            {"linear code", "linear PCA", "linear pixels", "linear untrained"},
        ),
    ],
)
def test_series_that_belong_together_stand_on_one_chart(
    chart: str, lines: set[str], plots: dict[str, Any]
) -> None:
    (drawn,) = plots[chart]
    assert {row["field"] for row in drawn["content"]["data"]["values"]} == lines


@pytest.mark.slow
def test_a_study_is_a_project_of_its_own(project: Project) -> None:
    study = Project(project.folder / "studies/anomaly")
    study.set_params(
        {"held_out": 5, "seeds": [1], "convolutional": {"filters": [4, 2, 1]}, "train": {"epochs": 1}}
    )
    study.dvc("repro", "score@3")
    assert (study.folder / "scores/3.npy").stat().st_size > 0
    changed = json.loads(study.dvc("status", "--json").stdout)
    assert "score@3" not in changed
    assert "score@4" in changed
    root = json.loads(project.dvc("status", "--json").stdout)
    assert not [name for name in root if "score" in name]
