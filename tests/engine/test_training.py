"""The training loop learns, stops early, resumes exactly and ends with the weights of the best epoch."""

from collections.abc import Callable, Sequence
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
from cae.datasets.augmentations import Augmentation, Mirror
from cae.datasets.noise import Noise
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.networks import tasks
from cae.networks.settings import Recipe

RECIPE = Recipe(epochs=4, batch_size=8, learning_rate=0.01, patience=5, shards=2, seed=1)
PATIENT = RECIPE.model_copy(update={"epochs": 20, "patience": 3, "learning_rate": 1e-4})
TRAIN, VALIDATION = (
    np.random.default_rng(seed).random((count, 8, 8, 1), dtype=np.float32) ** 2
    for seed, count in ((0, 43), (1, 21))
)
NOISY = (Mirror(kind="mirror"), Noise(kind="gaussian", strength=0.2))


def build_network() -> keras.Sequential:
    def convolution(filters: int, activation: str, seed: int) -> keras.layers.Conv2D:
        initializer = keras.initializers.GlorotUniform(seed=seed)
        return keras.layers.Conv2D(
            filters, 3, padding="same", activation=activation, kernel_initializer=initializer
        )

    chain = [
        convolution(4, "relu", 1),
        keras.layers.MaxPooling2D(2),
        keras.layers.UpSampling2D(2),
        convolution(1, "sigmoid", 2),
    ]
    return keras.Sequential([keras.Input((8, 8, 1)), *chain])


def fit(
    folder: Path,
    recipe: Recipe = RECIPE,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    train: Images = TRAIN,
    objective: str = "cross_entropy",
    augmentations: Sequence[Augmentation] = (),
    record: Callable[[pd.DataFrame], None] | None = None,
) -> tuple[keras.Sequential, pd.DataFrame]:
    network = build_network()
    task = tasks.reconstruct(network, choose_engine(recipe.engine), objective, augmentations)
    checkpoint = Checkpoint(folder, "run")
    return network, training.fit(task, train, VALIDATION, recipe, checkpoint, callbacks, record)


def assert_equal(
    one: tuple[keras.Sequential, pd.DataFrame], other: tuple[keras.Sequential, pd.DataFrame]
) -> None:
    assert one[1].equals(other[1])
    for weights, others in zip(one[0].get_weights(), other[0].get_weights(), strict=True):
        assert weights.tobytes() == others.tobytes()


def compute_loss(network: keras.Sequential) -> float:
    """Return the validation loss that Keras computes."""
    return float(keras.losses.BinaryCrossentropy()(VALIDATION, network(VALIDATION)))


class Killed(Exception):
    pass


class KillInEpoch(keras.callbacks.Callback):
    """Ends the training in the middle of an epoch, as a kill does."""

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
    """Spoils the weights in every epoch but the first, so that no later epoch is better."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch > 0:
            self.model.set_weights([np.full_like(weight, 3) for weight in self.model.get_weights()])


def test_training_lowers_the_losses_and_reports_what_keras_computes(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    network, history = fit(tmp_path, callbacks=[keras.callbacks.CSVLogger(log)])
    assert list(history.columns) == ["epoch", "loss", "val_loss", "learning_rate"]
    assert list(history["epoch"]) == [1, 2, 3, 4]
    assert history["loss"].is_monotonic_decreasing
    assert history["val_loss"].min() == pytest.approx(compute_loss(network), rel=1e-5)
    # Any callback of Keras works.
    np.testing.assert_array_equal(pd.read_csv(log)["val_loss"], history["val_loss"])


def test_another_objective_is_reported_beside_the_cross_entropy(tmp_path: Path) -> None:
    _, history = fit(tmp_path, objective="squared_error", augmentations=NOISY)
    losses = ["loss", "val_loss", "objective", "val_objective"]
    assert list(history.columns) == ["epoch", *losses, "learning_rate"]
    assert (history["val_objective"] < history["val_loss"]).all()
    assert history["val_objective"].iloc[-1] < history["val_objective"].iloc[0]


@pytest.mark.parametrize(
    ("epoch", "changes"),
    [(0, {}), (2, {}), (3, {}), (2, {"objective": "squared_error", "augmentations": NOISY})],
    ids=["first epoch", "third epoch", "last epoch", "random draws"],
)
def test_a_killed_run_resumes_to_the_same_bits(epoch: int, changes: dict[str, Any], tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", **changes)
    histories: list[pd.DataFrame] = []
    with suppress(Killed):
        fit(tmp_path / "killed", callbacks=[KillInEpoch(epoch)], record=histories.append, **changes)
    assert [len(history) for history in histories] == [*range(1, epoch + 1)]
    histories.clear()
    assert_equal(fit(tmp_path / "killed", record=histories.append, **changes), whole)
    # The finished epochs are recorded at once, and not trained again.
    assert [len(history) for history in histories] == [*range(epoch or 1, 5)]
    assert histories[-1].equals(whole[1])


def test_training_stops_without_improvement_and_restores_the_best_epoch(tmp_path: Path) -> None:
    network, history = fit(tmp_path, PATIENT, [Spoil()])
    assert len(history) == 1 + PATIENT.patience
    assert history["val_loss"].idxmin() == 0
    assert history["val_loss"].iloc[0] == pytest.approx(compute_loss(network), rel=1e-5)


def test_early_stopping_continues_its_count_after_a_resume(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fit(tmp_path, PATIENT, [Spoil(), KillInEpoch(2)])
    _, history = fit(tmp_path, PATIENT, [Spoil()])
    assert len(history) == 1 + PATIENT.patience


def test_a_diverging_run_is_reported(tmp_path: Path) -> None:
    message = r"epoch 1: training diverged at learning_rate 0\.01\. Lower learning_rate"
    with pytest.raises(UserError, match=message):
        fit(tmp_path, train=np.full_like(TRAIN, np.nan))


def test_the_stock_engine_learns_as_the_fast_one_does(tmp_path: Path) -> None:
    _, fast = fit(tmp_path / "fast")
    _, stock = fit(tmp_path / "stock", RECIPE.model_copy(update={"engine": "stock"}))
    np.testing.assert_allclose(stock, fast, rtol=1e-4)


@given(st.integers(1, 300), st.integers(1, 40))
def test_the_calls_of_an_epoch_have_every_image_once_and_in_order(count: int, batch_size: int) -> None:
    order = np.random.default_rng(count).permutation(count)
    calls = [*training.split_into_calls(np.arange(count, dtype="float32"), order, batch_size)]
    np.testing.assert_array_equal(np.concatenate([batches.ravel() for _, batches in calls]), order)
    assert [done for done, _ in calls] == list(np.cumsum([0, *(batches.size for _, batches in calls)])[:-1])
    assert all(batches.shape[1] == batch_size for _, batches in calls[:-1])


def test_large_images_come_in_smaller_calls_and_give_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, history = fit(tmp_path / "many")
    # Three batches of 8 images of 64 values per call, and two images per validation batch.
    monkeypatch.setattr(training, "MOST_VALUES", 3 * 8 * 64)
    monkeypatch.setattr(training, "find_largest_output", lambda _: 3 * 8 * 64 // 2)
    few, same = fit(tmp_path / "few")
    for one, other in zip(network.get_weights(), few.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # The losses of a validation batch are summed in float32.
    np.testing.assert_allclose(same, history, rtol=1e-6)


def test_the_learning_rate_falls_along_half_a_cosine_after_a_linear_warm_up() -> None:
    def compute(warm_up: int) -> Images:
        recipe = RECIPE.model_copy(update={"epochs": 3, "learning_rate": 0.5, "warm_up": warm_up})
        return np.concatenate([training.compute_learning_rates(recipe, epoch, steps=2) for epoch in range(3)])

    np.testing.assert_allclose(compute(0), 0.25 * (1 + np.cos(np.pi * np.arange(6) / 6)), rtol=1e-6)
    np.testing.assert_allclose(compute(2) / compute(0), [0.25, 0.5, 0.75, 1, 1, 1], rtol=1e-6)


def test_the_loss_of_the_mean_image_is_that_of_predicting_it_every_time() -> None:
    predictions = np.repeat(TRAIN.mean(axis=0, keepdims=True), len(VALIDATION), axis=0)
    expected = float(keras.losses.BinaryCrossentropy()(VALIDATION, predictions))
    assert training.compute_mean_image_loss(TRAIN, VALIDATION) == pytest.approx(expected, rel=1e-5)
