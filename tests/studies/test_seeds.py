"""The seed study: how far numbers move by chance, and which networks count as dead."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cae.core import files
from studies.seeds import measure, measure_short, report, table


def networks(*losses: float, spread: float = 0.3) -> pd.DataFrame:
    return pd.DataFrame({"val_loss": losses, "mean_image_loss": 0.4, "spread": spread})


def test_the_spread_of_a_metric_is_that_of_its_runs() -> None:
    runs = {1: {"train": {"loss": 1.0}}, 2: {"train": {"loss": 2.0}}, 3: {"train": {"loss": 6.0}}}
    (row,) = report.noise(runs).to_dict("records")
    assert row["metric"] == "loss"
    assert row["mean"] == 3
    assert row["sd"] == pytest.approx(7**0.5)
    assert (row["least"], row["most"]) == (1, 6)
    # Student's t with two degrees of freedom exceeds 4.3027 in 2.5 % of cases, on either side.
    assert row["noise"] == pytest.approx(4.3027 * (2 * 7) ** 0.5, rel=1e-4)


def test_networks_no_better_than_the_mean_image_are_counted_as_dead() -> None:
    (row,) = report.counted({0.01: networks(0.3, 0.5, 0.4, 0.35)}).to_dict("records")
    assert (row["learning_rate"], row["networks"], row["dead"]) == (0.01, 4, 2)


def test_losses_are_told_of_the_living_alone() -> None:
    (row,) = report.counted({0.01: networks(0.3, 0.32, 0.5)}).to_dict("records")
    assert (row["median_loss"], row["worst_loss"]) == (pytest.approx(0.31), 0.32)


def test_a_row_of_survivors_does_not_rule_deaths_out() -> None:
    (row,) = report.counted({0.01: networks(*[0.3] * 20)}).to_dict("records")
    # A share p of dead ones leaves 20 of 20 alive in more than 2.5 % of cases while (1 − p)^20 > 0.025.
    assert (row["least"], row["most"]) == (0, pytest.approx(1 - 0.025 ** (1 / 20)))


def test_networks_with_one_answer_for_all_images_are_counted_apart() -> None:
    both = pd.concat([networks(0.5, spread=1e-6), networks(0.5, 0.3)])
    (row,) = report.counted({0.01: both}).to_dict("records")
    assert (row["dead"], row["same"]) == (2, 1)


def test_the_spread_of_answers_is_that_of_the_pixel_that_differs_most() -> None:
    answers = np.full((4, 2, 2, 1), 0.5, np.float32)
    assert measure_short.spread(answers) == 0
    answers[:2, 1, 0] = 1
    assert measure_short.spread(answers) == 0.25


def test_a_network_that_answers_with_the_mean_image_has_its_loss() -> None:
    images = np.random.default_rng(0).random((50, 4, 4, 1), np.float32)
    mean = np.broadcast_to(images.mean(axis=0), images.shape)
    entropy = -(mean * np.log(mean) + (1 - mean) * np.log(1 - mean)).mean()
    assert measure_short.mean_loss(images, mean) == pytest.approx(entropy, rel=1e-5)
    assert measure_short.mean_loss(images, images) < entropy


def test_the_best_epoch_of_a_history_is_that_of_the_least_validation_loss(tmp_path: Path) -> None:
    history = pd.DataFrame({"epoch": [1, 2, 3], "val_loss": [0.5, 0.3, 0.4], "loss": [0.6, 0.4, 0.2]})
    files.write_csv(tmp_path / "2.csv", history)
    assert measure.best_epoch(tmp_path / "2.csv") == {"best_epoch": 2, "val_loss": 0.3, "loss": 0.4}


def test_where_all_are_dead_the_table_has_no_loss() -> None:
    (row,) = report.counted({0.01: networks(0.5, 0.6)}).to_dict("records")
    assert table.loss(row["median_loss"]) == "–"
