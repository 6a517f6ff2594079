"""The seeds study: how much metrics vary between seeds, and which networks count as failed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cae.core import config
from cae.core.errors import UserError
from cae.engine import training
from stages import evaluate, probe
from stages import train as main_train
from stages.runner.project import Project
from studies.seeds import measure_short, report, table
from tests.studies.running import PARAMS, copy_study, run, run_declared

STUDY = Path("studies/seeds")
SHORT = {"seeds": 2, "epochs": 1}
SEEDS = {"seeds": [2], "learning_rates": [0.002], "short": SHORT}


@pytest.mark.usefixtures("pipeline")
def test_another_seed_is_measured_as_the_main_pipeline_does_and_compared_with_it() -> None:
    for module in (main_train, evaluate, probe):
        name = module.__name__.removeprefix("stages.")
        kind = module.Settings
        content = {key: PARAMS[key] for key in kind.model_fields}
        run(getattr(module, name), Project(), config.validate(content, kind, Path("params.yaml")))
    copy_study("seeds", SEEDS)
    for stage, argument in (
        ("train", "2"),
        ("measure", "2"),
        ("train_short", "0.002"),
        ("measure_short", "0.002"),
    ):
        run_declared("seeds", stage, argument)
    run_declared("seeds", "report")
    metrics = json.loads((STUDY / "runs/2.json").read_text())
    assert list(metrics["probe"]) == ["knn_2", "knn_all", "linear_2", "linear_all", "trustworthiness"]
    noise = pd.read_csv(STUDY / "plots/noise.csv").set_index("metric")
    main = json.loads(Path("metrics/evaluate.json").read_text())
    for name, value in main.items():
        both = [value, metrics["evaluate"][name]]
        assert noise.loc[name, ["least", "most"]].tolist() == sorted(both)
        deviation = json.loads((STUDY / "metrics/seeds.json").read_text())[f"{name}_sd"]
        assert deviation == pytest.approx(np.std(both, ddof=1)) != 0
    assert list(pd.read_csv(STUDY / "losses/0.002.csv")["seed"]) == [1, 2]


@pytest.mark.usefixtures("pipeline")
def test_a_killed_stage_resumes_in_the_network_that_it_was_training(monkeypatch: pytest.MonkeyPatch) -> None:
    copy_study("seeds", SEEDS)
    train_epoch, seeds = training.train_epoch, []

    def kill_second(*arguments: Any) -> Any:
        seeds.append(arguments[2].seed)
        if len(seeds) == 2:
            raise KeyboardInterrupt
        return train_epoch(*arguments)

    monkeypatch.setattr(training, "train_epoch", kill_second)
    with pytest.raises(KeyboardInterrupt):
        run_declared("seeds", "train_short", "0.002")
    run_declared("seeds", "train_short", "0.002")
    assert seeds == [1, 2, 2]
    assert not (STUDY / ".checkpoints/train_short-0.002").exists()


def test_the_seed_of_the_main_pipeline_is_refused() -> None:
    content = {"seeds": [1, 2], "learning_rates": [0.002], "train": {"seed": 1}}
    with pytest.raises(UserError, match="seeds has 1, with which the main pipeline ran already: remove it"):
        config.validate(content, report.Settings, Path("params.yaml"))


def test_the_noise_of_a_metric_is_from_its_standard_deviation() -> None:
    runs = {1: {"train": {"loss": 1.0}}, 2: {"train": {"loss": 2.0}}, 3: {"train": {"loss": 6.0}}}
    (row,) = report.tabulate_noise(report.tabulate_runs(runs)).to_dict("records")
    # Student's t with two degrees of freedom exceeds 4.3027 in 2.5 % of cases, on either side.
    noise = pytest.approx(4.3027 * (2 * 7) ** 0.5, rel=1e-4)
    expected = {"mean": 3, "sd": pytest.approx(7**0.5), "least": 1, "most": 6, "noise": noise}
    assert row == {"metric": "loss", **expected}


def make_networks(*losses: float, spread: float = 0.3) -> pd.DataFrame:
    return pd.DataFrame({"val_loss": losses, "mean_image_loss": 0.4, "spread": spread})


@pytest.mark.parametrize(
    ("losses", "failed", "median", "worst"),
    [((0.3, 0.32, 0.5, 0.4), 2, 0.31, 0.32), ((0.3, 0.35), 0, 0.325, 0.35), ((0.5, 0.6), 2, np.nan, np.nan)],
)
def test_networks_no_better_than_the_mean_image_are_counted_as_failed(
    losses: tuple[float, ...], failed: int, median: float, worst: float
) -> None:
    (row,) = report.count_failed({0.01: make_networks(*losses)}).to_dict("records")
    assert (row["networks"], row["failed"]) == (len(losses), failed)
    assert [row["median_loss"], row["worst_loss"]] == pytest.approx([median, worst], nan_ok=True)


def test_none_of_twenty_failed_does_not_rule_failures_out() -> None:
    (row,) = report.count_failed({0.01: make_networks(*[0.3] * 20)}).to_dict("records")
    # With a share p, none of 20 fails in more than 2.5 % of cases while (1 − p)^20 > 0.025.
    assert (row["least"], row["most"]) == (0, pytest.approx(1 - 0.025 ** (1 / 20)))


def test_networks_that_reconstruct_all_images_alike_are_counted_apart() -> None:
    networks = pd.concat([make_networks(0.5, spread=1e-6), make_networks(0.5, 0.3)])
    (row,) = report.count_failed({0.01: networks}).to_dict("records")
    assert (row["failed"], row["same"]) == (2, 1)


def test_the_spread_is_that_of_the_pixel_that_differs_most() -> None:
    images = np.full((4, 2, 2, 1), 0.5, np.float32)
    assert measure_short.compute_spread(images) == 0
    images[:2, 1, 0] = 1
    assert measure_short.compute_spread(images) == 0.25


def test_where_all_networks_failed_the_table_has_no_loss() -> None:
    assert (table.format_loss(np.nan), table.format_loss(0.28)) == ("–", "0.2800")
