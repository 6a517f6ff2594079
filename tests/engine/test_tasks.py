"""Tasks: what a network sees, what it should answer, and how wrong an answer is."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from cae.engine import tasks, training
from cae.engine.checkpoints import Checkpoint
from cae.engine.losses import squared_error
from cae.ground.noise import CLEAN
from cae.ground.params import Noise, Run
from cae.networks import variational
from cae.networks.autoencoder import Autoencoder

GREY = np.full((50, 8, 8, 1), 0.3, np.float32)
TRAIN, VALIDATION = (
    np.random.default_rng(seed).random((count, 8, 8, 1), dtype=np.float32) ** 2
    for seed, count in ((0, 43), (1, 21))
)
RECIPE = Run(epochs=3, batch_size=8, learning_rate=0.01, patience=5, shards=2, seed=1, engine="fast")
NOISE = Noise(kind="gaussian", strength=0.2)


def built() -> Autoencoder:
    return variational.build(3, 16, (8, 8, 1), seed=1)


def fit(
    folder: Path, callbacks: Sequence[keras.callbacks.Callback] = (), beta: float = 1.0
) -> tuple[Autoencoder, pd.DataFrame]:
    network = built()
    task = tasks.generation(variational.sampled(network), beta)
    return network, training.fit(task, TRAIN, VALIDATION, RECIPE, Checkpoint(folder, "run"), callbacks)


def test_the_clean_images_are_the_targets_and_the_noisy_ones_are_seen() -> None:
    inputs, targets = tasks.noisy_and_clean(NOISE, TRAIN, np.random.default_rng(0))
    np.testing.assert_array_equal(targets, TRAIN)
    assert np.std(inputs - TRAIN) > 0.05


def test_without_noise_nothing_is_copied() -> None:
    same, clean = tasks.noisy_and_clean(CLEAN, TRAIN, np.random.default_rng(0))
    assert same is clean


def test_what_is_trained_on_comes_first_and_the_cross_entropy_is_told_once() -> None:
    network = built().network
    assert list(tasks.reconstruction(network).losses) == ["loss"]
    assert list(tasks.reconstruction(network, squared_error).losses) == ["objective", "loss"]


def test_pixels_are_drawn_black_or_white_as_bright_as_they_are() -> None:
    (seen, numbers), (drawn, grey) = tasks.black_and_white(CLEAN, 7, GREY, np.random.default_rng(0))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.03)
    assert numbers.shape == (50, 7)
    assert np.std(numbers) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(seen, drawn)
    np.testing.assert_array_equal(grey, GREY)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_objective_is_the_negative_evidence_lower_bound(beta: float) -> None:
    generator = np.random.default_rng(0)
    logits, drawn = generator.normal(size=(2, 8, 8, 1)), generator.integers(0, 2, (2, 8, 8, 1))
    mean, log_variance = generator.normal(size=(2, 3)), generator.normal(size=(2, 3))
    white = 1 / (1 + np.exp(-logits))
    fit = np.log(np.where(drawn == 1, white, 1 - white)).sum()
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum()
    outputs = [tf.constant(array, tf.float32) for array in (logits, mean, log_variance)]
    value = tasks.negative_evidence(beta, [tf.constant(drawn, tf.float32), None], outputs)
    assert float(value) == pytest.approx(beta * divergence - fit, rel=1e-5)


def test_a_variational_network_learns_and_is_compared_by_the_cross_entropy(tmp_path: Path) -> None:
    _, history = fit(tmp_path)
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

    _, whole = fit(tmp_path / "whole")
    with suppress(Killed):
        fit(tmp_path / "killed", [keras.callbacks.LambdaCallback(on_epoch_begin=kill)])
    assert fit(tmp_path / "killed")[1].equals(whole)


def test_the_code_of_an_image_is_the_mean_of_its_posterior() -> None:
    network = built()
    mean, _ = variational.posterior(network)(VALIDATION)
    np.testing.assert_array_equal(network.encoder(VALIDATION), mean)
    np.testing.assert_array_equal(network.network(VALIDATION), network.decoder(mean))


def test_training_draws_codes_around_the_mean() -> None:
    network = built()
    mean, log_variance = variational.posterior(network)(VALIDATION)
    numbers = np.random.default_rng(0).standard_normal(mean.shape, np.float32)
    logits, *posterior = variational.sampled(network)([VALIDATION, numbers])
    codes = mean + np.exp(np.asarray(log_variance) / 2) * numbers
    np.testing.assert_allclose(logits, variational.painter(network)(codes), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(posterior[0], mean)
    np.testing.assert_array_equal(posterior[1], log_variance)
