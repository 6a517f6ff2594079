"""Tasks: what a network sees, what it should answer, and how wrong an answer is."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from cae.MISSING import Variational
from scipy.special import logsumexp

from cae.datasets.augmentations import Phase
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.networks import tasks, variational
from cae.networks.autoencoder import Autoencoder
from cae.networks.settings import Recipe

GREY = np.full((50, 8, 8, 1), 0.3, np.float32)
TRAIN, VALIDATION = (
    np.random.default_rng(seed).random((count, 8, 8, 1), dtype=np.float32) ** 2
    for seed, count in ((0, 43), (1, 21))
)
RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=0.01, patience=5, shards=2, seed=1, engine="fast")
MOMENT = Phase(training=True, epoch=0)


def built(kind: str = "gelu") -> Autoencoder:
    return variational.build(variational.Settings(code_size=3, width=16, layers=kind), (8, 8, 1), seed=1)


def options(**changes: Any) -> Variational:
    values = {"code_size": 3, "width": 16, "layers": "gelu", "codes": 1, "beta": 1.0, "rise": 1}
    return Variational.model_validate(values | {"batch_size": 8, "learning_rate": 0.01} | changes)


def fit(
    folder: Path, callbacks: Sequence[keras.callbacks.Callback] = (), **changes: Any
) -> tuple[Autoencoder, pd.DataFrame]:
    chosen = options(**changes)
    network = built(chosen.layers)
    task = tasks.generation(network, chosen)
    return network, training.fit(task, TRAIN, VALIDATION, RECIPE, Checkpoint(folder, "run"), callbacks)


def test_without_noise_nothing_is_copied() -> None:
    task = tasks.reconstruct(built().network, choose_engine("fast"), "cross_entropy")
    inputs, targets = task.examples(TRAIN, np.random.default_rng(0), MOMENT)
    assert inputs is targets


def test_what_is_trained_on_comes_first_and_the_cross_entropy_is_told_once() -> None:
    network = built().network
    assert list(tasks.reconstruct(network, choose_engine("fast"), "cross_entropy").losses) == ["loss"]
    assert list(tasks.reconstruct(network, choose_engine("fast"), "squared_error").losses) == [
        "objective",
        "loss",
    ]


def test_a_reconstruction_needs_a_network_that_ends_in_a_sigmoid() -> None:
    with pytest.raises(ValueError, match="sigmoid"):
        tasks.reconstruction(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))


def test_pixels_are_drawn_black_or_white_as_bright_as_they_are() -> None:
    task = tasks.generation(built(), options(codes=2))
    (seen, numbers), (drawn, grey, _) = task.examples(GREY, np.random.default_rng(0), MOMENT)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.03)
    assert numbers.shape == (50, 2 * 3)
    assert np.std(numbers) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(seen, drawn)
    np.testing.assert_array_equal(grey, GREY)


@pytest.mark.parametrize(("epoch", "weight"), [(0, 0.25), (3, 1.0), (9, 1.0)])
def test_the_weight_of_the_divergence_rises_in_training_and_is_full_in_validation(
    epoch: int, weight: float
) -> None:
    task = tasks.generation(built(), options(beta=0.5, rise=4))
    for training_, expected in ((True, weight * 0.5), (False, 0.5)):
        _, (*_, weights) = task.examples(GREY, np.random.default_rng(0), Phase(training_, epoch))
        np.testing.assert_array_equal(weights, np.full(50, expected, np.float32))


@pytest.mark.parametrize("engine", ["fast", "stock"])
@pytest.mark.parametrize(("codes", "beta", "kind"), [(1, 0.0, "gelu"), (1, 4.0, "gated"), (3, 1.0, "gated")])
def test_the_objective_is_the_negative_bound_of_the_log_likelihood(
    codes: int, beta: float, kind: str, engine: str
) -> None:
    network = built(kind)
    task = tasks.generation(network, options(codes=codes, beta=beta, layers=kind), engine)
    inputs, targets = task.examples(VALIDATION, np.random.default_rng(0), MOMENT)
    found = task.losses["objective"](targets, task.forward(inputs))
    drawn, numbers = (np.asarray(part, np.float64) for part in inputs)
    mean, log_variance = (np.asarray(part) for part in variational.posterior(network)(drawn))
    noise = numbers.reshape(len(drawn), codes, 3)
    z = mean[:, np.newaxis] + np.exp(log_variance[:, np.newaxis] / 2) * noise
    white = np.asarray(network.decoder(z.reshape(-1, 3))).reshape(len(drawn), codes, 8, 8, 1)
    fit_ = np.log(np.where(drawn[:, np.newaxis] == 1, white, 1 - white)).sum(axis=(2, 3, 4))
    log_prior, log_posterior = (
        -(z**2).sum(axis=2) / 2,
        -(noise**2 + log_variance[:, np.newaxis]).sum(axis=2) / 2,
    )
    expected = np.log(codes) - logsumexp(fit_ + beta * (log_prior - log_posterior), axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("changes", [{}, {"layers": "gated", "codes": 3}])
def test_a_variational_network_learns_and_is_compared_by_the_cross_entropy(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    _, history = fit(tmp_path, **changes)
    losses = ["loss", "val_loss", "objective", "val_objective"]
    assert list(history.columns) == ["epoch", *losses, "learning_rate"]
    assert history["val_objective"].iloc[-1] < history["val_objective"].iloc[0]


def test_a_heavier_divergence_is_made_smaller(tmp_path: Path) -> None:
    divergences = []
    for beta in (0.0, 10.0):
        mean, log_variance = variational.posterior(fit(tmp_path / str(beta), beta=beta)[0])(VALIDATION)
        divergences.append(np.sum(mean**2 + np.exp(log_variance) - log_variance - 1))
    assert divergences[1] < divergences[0]


class Killed(Exception):
    pass


def test_a_resumed_run_draws_what_the_whole_one_drew(tmp_path: Path) -> None:
    def kill(epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == 2:
            raise Killed

    _, whole = fit(tmp_path / "whole", rise=3)
    with suppress(Killed):
        fit(tmp_path / "killed", [keras.callbacks.LambdaCallback(on_epoch_begin=kill)], rise=3)
    assert fit(tmp_path / "killed", rise=3)[1].equals(whole)


def test_the_code_of_an_image_is_the_mean_of_its_posterior() -> None:
    network = built()
    mean, _ = variational.posterior(network)(VALIDATION)
    np.testing.assert_array_equal(network.encoder(VALIDATION), mean)
    np.testing.assert_array_equal(network.network(VALIDATION), network.decoder(mean))
