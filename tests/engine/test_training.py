"""The loop: it learns, stops early, resumes exactly and leaves the best epoch's weights."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.datasets.augmentations import Mirror
from cae.datasets.noise import Noise
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.networks import tasks
from cae.networks.settings import Recipe

RECIPE = Recipe(
    epochs=4,
    batch_size=8,
    learning_rate=0.01,
    patience=5,
    shards=2,
    seed=1,
    engine="fast",
)
NOISE = Noise(kind="gaussian", strength=0.2)
TRAIN, VALIDATION = (
    np.random.default_rng(seed).random((count, 8, 8, 1), dtype=np.float32) ** 2
    for seed, count in ((0, 43), (1, 21))
)


def small_network() -> keras.Sequential:
    def convolution(filters: int, activation: str, seed: int) -> keras.layers.Conv2D:
        initializer = keras.initializers.GlorotUniform(seed=seed)
        return keras.layers.Conv2D(
            filters, 3, padding="same", activation=activation, kernel_initializer=initializer
        )

    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            convolution(4, "relu", 1),
            keras.layers.MaxPooling2D(2),
            keras.layers.UpSampling2D(2),
            convolution(1, "sigmoid", 2),
        ]
    )


def fit(folder: Path, recipe: Recipe = RECIPE, callbacks: Any = (), train: Images = TRAIN) -> Any:
    network = small_network()
    task = tasks.reconstruct(network, choose_engine(recipe.engine), "cross_entropy")
    history = training.fit(task, train, VALIDATION, recipe, Checkpoint(folder, "run"), callbacks)
    return network, history


class Killed(Exception):
    pass


class KillAfter(keras.callbacks.Callback):
    """Breaks off in the middle of an epoch, as a kill does."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.last = epoch
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.epoch == self.last:
            raise Killed


class Spoil(keras.callbacks.Callback):
    """Ruins the weights after every epoch but the first, so that no later epoch is better."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch > 0:
            self.model.set_weights([np.full_like(weight, 3) for weight in self.model.get_weights()])


def test_the_loss_falls(tmp_path: Path) -> None:
    _, history = fit(tmp_path)
    assert history["loss"].is_monotonic_decreasing
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0]


def test_the_history_has_one_row_an_epoch(tmp_path: Path) -> None:
    _, history = fit(tmp_path)
    assert list(history.columns) == ["epoch", "loss", "val_loss", "learning_rate"]
    assert list(history["epoch"]) == [1, 2, 3, 4]


def test_the_losses_are_those_keras_computes(tmp_path: Path) -> None:
    network, history = fit(tmp_path)
    reference = keras.losses.BinaryCrossentropy()(VALIDATION, network(VALIDATION))
    assert history["val_loss"].min() == pytest.approx(float(reference), rel=1e-5)


def test_two_runs_give_the_same_bits(tmp_path: Path) -> None:
    (first, history), (second, again) = fit(tmp_path / "one"), fit(tmp_path / "two")
    assert history.equals(again)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_a_run_broken_off_and_resumed_ends_in_the_same_bits(epoch: int, tmp_path: Path) -> None:
    uninterrupted, history = fit(tmp_path / "whole")
    with pytest.raises(Killed):
        fit(tmp_path / "broken", callbacks=[KillAfter(epoch)])
    resumed, again = fit(tmp_path / "broken")
    assert history.equals(again)
    for a, b in zip(uninterrupted.get_weights(), resumed.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_resumed_run_repeats_no_finished_epoch(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fit(tmp_path, callbacks=[KillAfter(2)])
    begun: list[int] = []
    counter = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    fit(tmp_path, callbacks=[counter])
    assert begun == [2, 3]


def test_training_stops_when_validation_no_longer_improves_and_keeps_the_best(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 20, "patience": 3, "learning_rate": 1e-4})
    network, history = fit(tmp_path, recipe, [Spoil()])
    assert len(history) == 1 + 3
    assert history["val_loss"].idxmin() == 0
    reference = keras.losses.BinaryCrossentropy()(VALIDATION, network(VALIDATION))
    assert history["val_loss"].iloc[0] == pytest.approx(float(reference), rel=1e-5)


def test_early_stopping_counts_on_across_a_resume(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 20, "patience": 3, "learning_rate": 1e-4})
    with pytest.raises(Killed):
        fit(tmp_path, recipe, [Spoil(), KillAfter(2)])
    _, history = fit(tmp_path, recipe, [Spoil()])
    assert len(history) == 1 + 3


def test_keras_callbacks_work(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    _, history = fit(tmp_path, callbacks=[keras.callbacks.CSVLogger(log)])
    rows = np.genfromtxt(log, delimiter=",", names=True)
    np.testing.assert_array_equal(rows["val_loss"], history["val_loss"])


def test_a_diverging_run_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"epoch 1: training diverged at learning_rate 0\.01\. Lower learning_rate"
    ):
        fit(tmp_path, train=np.full_like(TRAIN, np.nan))


@given(st.integers(1, 300), st.integers(1, 40))
def test_the_calls_of_an_epoch_cover_every_image_once_in_order(count: int, batch_size: int) -> None:
    order = np.random.default_rng(count).permutation(count)
    calls = [
        (done, batches)
        for done, batches in training.split_into_calls(np.arange(count, dtype="float32"), order, batch_size)
    ]
    np.testing.assert_array_equal(np.concatenate([batches.ravel() for _, batches in calls]), order)
    assert [done for done, _ in calls] == list(np.cumsum([0, *(batches.size for _, batches in calls)])[:-1])
    assert all(batches.shape[1] == batch_size for _, batches in calls[:-1])


def test_large_images_come_fewer_at_a_time_and_give_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, history = fit(tmp_path / "many")
    # Three batches of 8 images of 64 numbers a call, and two images of 4 · 64 numbers a validation batch.
    monkeypatch.setattr(training, "NUMBERS", 3 * 8 * 64)
    monkeypatch.setattr(training, "find_largest_output", lambda _: 3 * 8 * 64 // 2)
    few, same = fit(tmp_path / "few")
    for one, other in zip(network.get_weights(), few.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Losses of a validation batch are added up in float32.
    np.testing.assert_allclose(same, history, rtol=1e-6)


def test_the_widest_layer_is_found_also_where_a_layer_gives_several_tensors() -> None:
    assert training.find_largest_output(small_network()) == 4 * 8 * 8
    image = keras.Input((2, 2, 1))
    split = keras.ops.split(keras.layers.Dense(6)(image), 2, axis=-1)
    assert training.find_largest_output(keras.Model(image, split)) == 6 * 2 * 2


def denoise(folder: Path, callbacks: Any = ()) -> pd.DataFrame:
    """Train on squared error, with noise and mirrored images."""
    task = tasks.reconstruct(
        small_network(), choose_engine("fast"), "squared_error", [Mirror(kind="mirror"), NOISE]
    )
    return training.fit(task, TRAIN, VALIDATION, RECIPE, Checkpoint(folder, "run"), callbacks)


def test_another_objective_has_columns_of_its_own_beside_the_cross_entropy(tmp_path: Path) -> None:
    history = denoise(tmp_path)
    losses = ["loss", "val_loss", "objective", "val_objective"]
    assert list(history.columns) == ["epoch", *losses, "learning_rate"]
    assert (history["val_objective"] < history["val_loss"]).all()
    assert history["val_objective"].iloc[-1] < history["val_objective"].iloc[0]


def test_a_resumed_run_draws_the_noise_that_the_whole_one_drew(tmp_path: Path) -> None:
    whole = denoise(tmp_path / "whole")
    with suppress(Killed):
        denoise(tmp_path / "killed", [KillAfter(2)])
    assert denoise(tmp_path / "killed").equals(whole)


def test_the_learning_rate_falls_along_half_a_cosine() -> None:
    recipe = RECIPE.model_copy(update={"epochs": 2, "learning_rate": 0.5})
    rates = np.concatenate([training.compute_learning_rates(recipe, epoch, steps=2) for epoch in (0, 1)])
    np.testing.assert_allclose(rates, 0.25 * (1 + np.cos(np.pi * np.array([0, 0.25, 0.5, 0.75]))), rtol=1e-6)


def test_a_rate_that_warms_up_rises_in_a_straight_line_to_the_cosine() -> None:
    cold = RECIPE.model_copy(update={"epochs": 3, "learning_rate": 0.5})
    warm = cold.model_copy(update={"warm_up": 2})
    shares = [
        training.compute_learning_rates(warm, epoch, steps=2)
        / training.compute_learning_rates(cold, epoch, steps=2)
        for epoch in (0, 1, 2)
    ]
    np.testing.assert_allclose(np.concatenate(shares), [0.25, 0.5, 0.75, 1, 1, 1], rtol=1e-6)


def recorded(folder: Path, callbacks: Any = ()) -> list[pd.DataFrame]:
    """Return the histories that training hands over on its way."""
    histories: list[pd.DataFrame] = []
    with suppress(Killed):
        task = tasks.reconstruct(small_network(), choose_engine("fast"), "cross_entropy")
        training.fit(task, TRAIN, VALIDATION, RECIPE, Checkpoint(folder, "run"), callbacks, histories.append)
    return histories


def test_the_history_is_handed_over_after_every_epoch(tmp_path: Path) -> None:
    _, history = fit(tmp_path / "whole")
    histories = recorded(tmp_path / "recorded")
    assert [len(part) for part in histories] == [1, 2, 3, 4]
    assert histories[-1].equals(history)


def test_a_resumed_run_hands_over_first_what_was_finished(tmp_path: Path) -> None:
    recorded(tmp_path, [KillAfter(2)])
    assert [len(part) for part in recorded(tmp_path)] == [2, 3, 4]


def test_the_stock_engine_learns_as_the_fast_one_does(tmp_path: Path) -> None:
    _, fast = fit(tmp_path / "fast")
    _, stock = fit(tmp_path / "stock", RECIPE.model_copy(update={"engine": "stock"}))
    assert stock["val_loss"].to_numpy() == pytest.approx(fast["val_loss"].to_numpy(), rel=1e-4)


def test_the_loss_of_the_mean_image_is_that_of_answering_it_every_time() -> None:
    answers = np.repeat(TRAIN.mean(axis=0, keepdims=True), len(VALIDATION), axis=0)
    expected = float(keras.losses.BinaryCrossentropy()(VALIDATION, answers))
    assert training.compute_mean_image_loss(TRAIN, VALIDATION) == pytest.approx(expected, rel=1e-5)
