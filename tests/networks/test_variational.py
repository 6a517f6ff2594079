"""The variational network: its layers, its codes, and the bound that it is trained on."""

import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit, logsumexp

from cae.datasets.augmentations import Phase
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.networks import variational
from cae.networks.autoencoder import Autoencoder
from cae.networks.settings import Recipe
from cae.networks.tasks import Task

GREY = np.full((50, 8, 8, 1), 0.3, np.float32)
TRAIN, VALIDATION = (
    np.random.default_rng(seed).random((count, 8, 8, 1), dtype=np.float32) ** 2
    for seed, count in ((0, 43), (1, 21))
)
RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=0.01, patience=5, shards=2, seed=1)
PHASE = Phase(training=True, epoch=0)


def build(engine: str = "fast", **changes: Any) -> tuple[Autoencoder, Task]:
    """Build a small network and its task."""
    values = {"code_size": 3, "width": 16, "layers": "gelu", "codes": 1, "rise": 1}
    settings = variational.Settings.model_validate(values | changes)
    network = variational.build(settings, (8, 8, 1), seed=1)
    return network, variational.task(settings, network, choose_engine(engine))


def test_a_gated_layer_is_linear_times_its_gate() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    inputs = keras.Input((3,))
    layer = keras.Model(inputs, variational.hidden_layer(inputs, 4, "gated", itertools.count(1)))
    linear, _, gate, _ = layer.get_weights()
    np.testing.assert_allclose(layer(rows), (rows @ linear) * expit(rows @ gate), rtol=1e-5)


def test_the_code_of_an_image_is_the_mean_of_its_posterior() -> None:
    network, _ = build()
    mean, _ = variational.get_posterior(network)(VALIDATION)
    np.testing.assert_array_equal(network.encoder(VALIDATION), mean)
    np.testing.assert_array_equal(network.network(VALIDATION), network.decoder(mean))


def test_pixels_are_drawn_white_with_a_probability_of_their_grey_value() -> None:
    _, task = build(codes=2)
    (inputs, noise), (drawn, grey, _) = task.draw_examples(GREY, np.random.default_rng(0), PHASE)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.03)
    assert noise.shape == (50, 2 * 3)
    assert np.std(noise) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(inputs, drawn)
    np.testing.assert_array_equal(grey, GREY)


@pytest.mark.parametrize(("epoch", "share"), [(0, 0.25), (3, 1.0), (9, 1.0)])
def test_the_weight_of_the_divergence_rises_in_training_and_is_full_in_validation(
    epoch: int, share: float
) -> None:
    _, task = build(beta=0.5, rise=4)
    for is_training, weight in ((True, share * 0.5), (False, 0.5)):
        _, (*_, weights) = task.draw_examples(GREY, np.random.default_rng(0), Phase(is_training, epoch))
        np.testing.assert_array_equal(weights, np.full(50, weight, np.float32))


@pytest.mark.parametrize("engine", ["fast", "stock"])
@pytest.mark.parametrize(
    ("codes", "beta", "layers"), [(1, 0.0, "gelu"), (1, 4.0, "gated"), (3, 1.0, "gated")]
)
def test_the_objective_is_the_negative_bound_of_the_log_likelihood(
    codes: int, beta: float, layers: str, engine: str
) -> None:
    network, task = build(engine, codes=codes, beta=beta, layers=layers)
    inputs, targets = task.draw_examples(VALIDATION, np.random.default_rng(0), PHASE)
    objective = task.losses["objective"](targets, task.forward(inputs))
    drawn, numbers = (np.asarray(part, np.float64) for part in inputs)
    mean, log_variance = (
        np.asarray(part)[:, np.newaxis] for part in variational.get_posterior(network)(drawn)
    )
    noise = numbers.reshape(len(drawn), codes, 3)
    z = mean + np.exp(log_variance / 2) * noise
    white = np.asarray(network.decoder(z.reshape(-1, 3))).reshape(len(drawn), codes, 8, 8, 1)
    likelihood = np.log(np.where(drawn[:, np.newaxis] == 1, white, 1 - white)).sum(axis=(2, 3, 4))
    log_prior, log_posterior = -(z**2).sum(axis=2) / 2, -(noise**2 + log_variance).sum(axis=2) / 2
    expected = np.log(codes) - logsumexp(likelihood + beta * (log_prior - log_posterior), axis=1)
    np.testing.assert_allclose(objective, expected, rtol=1e-4)


def test_training_lowers_the_objective_and_a_heavier_divergence(tmp_path: Path) -> None:
    divergences = []
    for beta in (0.0, 10.0):
        network, task = build(beta=beta)
        history = training.fit(task, TRAIN, VALIDATION, RECIPE, Checkpoint(tmp_path / str(beta), "run"))
        assert history["val_objective"].iloc[-1] < history["val_objective"].iloc[0]
        mean, log_variance = variational.get_posterior(network)(VALIDATION)
        divergences.append(np.sum(mean**2 + np.exp(log_variance) - log_variance - 1))
    assert divergences[1] < divergences[0]
