"""The self-supervised network: its codes, its tasks, and what the encoder learns from."""

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from scipy.special import logsumexp

from cae.datasets.augmentations import Phase
from cae.engine import exact, stock
from cae.engine.engine import choose_engine
from cae.networks import self_supervised
from cae.networks.autoencoder import DECODER, ENCODER, Autoencoder
from cae.networks.tasks import Task
from cae.networks.view_losses import SMALLEST_SQUARE, compare_statistics, contrast

IMAGES = np.random.default_rng(0).random((8, 12, 9, 1), dtype=np.float32)
TRAINING, VALIDATION = Phase(training=True, epoch=0), Phase(training=False, epoch=0)
FIRST, SECOND = (np.random.default_rng(seed).normal(size=(6, 5)).astype(np.float32) for seed in (1, 2))
ARITHMETIC = pytest.mark.parametrize("arithmetic", [exact, stock], ids=["fast", "stock"])
TASKS = ("contrastive", "vicreg", "masked", "words", "prototypes")


def build(engine: str = "fast", **changes: Any) -> tuple[Autoencoder, Task]:
    """Build a small network and its task."""
    values = {"filters": (3, 4, 5), "code_size": 6, "width": 16, "words": 7, "prototypes": 5, **changes}
    settings = self_supervised.Settings.model_validate(values)
    network = self_supervised.build(settings, IMAGES.shape[1:], seed=1)
    task = self_supervised.task(settings, network, choose_engine(engine))
    if task.fit_targets is not None:
        task.fit_targets(IMAGES, 1)
    return network, task


def compute_gradients(task: Task, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Return the gradient of the objective to the variables of the encoder, by their paths."""
    inputs, targets = task.draw_examples(IMAGES, np.random.default_rng(seed), TRAINING)
    variables = task.network.get_layer(ENCODER).trainable_variables
    with tf.GradientTape() as tape:
        objective = task.losses["objective"](targets, task.forward(inputs))
    values = [variable.value for variable in variables]
    gradients = tape.gradient(objective, values, unconnected_gradients="zero")
    return {variable.path: np.asarray(part) for variable, part in zip(variables, gradients, strict=True)}


@ARITHMETIC
def test_the_contrastive_loss_compares_a_view_with_all_others(arithmetic: ModuleType) -> None:
    rows = np.concatenate([FIRST, SECOND]).astype(np.float64)
    rows /= np.sqrt(np.square(rows).sum(axis=1, keepdims=True) + SMALLEST_SQUARE)
    similarities = rows @ rows.T / 0.3
    np.fill_diagonal(similarities, -np.inf)
    partners = np.roll(np.arange(12), 6)
    losses = logsumexp(similarities, axis=1) - similarities[np.arange(12), partners]
    found = contrast(arithmetic, tf.constant(FIRST), tf.constant(SECOND), 0.3)
    np.testing.assert_allclose(found, (losses[:6] + losses[6:]) / 2, rtol=1e-5)


@ARITHMETIC
def test_vicreg_compares_views_and_wants_columns_that_vary_apart(arithmetic: ModuleType) -> None:
    expected = 25 * np.square(FIRST - SECOND).mean(axis=1)
    for rows in (FIRST, SECOND):
        covariance = np.cov(rows.T)
        deviations = np.sqrt(np.diag(covariance) + SMALLEST_SQUARE)
        others = covariance - np.diag(np.diag(covariance))
        expected = expected + 25 * np.maximum(0, 1 - deviations).mean() + np.square(others).sum() / 5
    found = compare_statistics(arithmetic, tf.constant(FIRST), tf.constant(SECOND))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_the_first_view_is_the_target_and_only_training_mirrors_it(task: str) -> None:
    _, built = build(task=task)
    for phase, can_be_mirrored in ((TRAINING, True), (VALIDATION, False)):
        _, (target,) = built.draw_examples(IMAGES, np.random.default_rng(0), phase)
        is_same = (np.asarray(target) == IMAGES).all(axis=(1, 2, 3))
        assert is_same.all() != can_be_mirrored
        is_mirrored = (np.asarray(target) == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
        assert (is_same | is_mirrored).all()


@pytest.mark.parametrize("task", TASKS)
def test_both_engines_compute_the_same_losses_and_gradients(task: str) -> None:
    weight = 0.0 if task == "masked" else 0.5
    tasks = [build(engine, task=task, reconstruction=weight)[1] for engine in ("fast", "stock")]
    examples = [one.draw_examples(IMAGES, np.random.default_rng(0), TRAINING) for one in tasks]
    for name in ("objective", "loss"):
        fast, slow = (
            one.losses[name](targets, one.forward(inputs))
            for one, (inputs, targets) in zip(tasks, examples, strict=True)
        )
        np.testing.assert_allclose(fast, slow, rtol=1e-3)
    fast_gradients, slow_gradients = map(compute_gradients, tasks)
    largest = max(np.abs(gradient).max() for gradient in slow_gradients.values())
    for fast_one, slow_one in zip(fast_gradients.values(), slow_gradients.values(), strict=True):
        np.testing.assert_allclose(fast_one, slow_one, rtol=1e-3, atol=1e-3 * largest)


@pytest.mark.parametrize("task", ["contrastive", "vicreg", "words", "prototypes"])
@pytest.mark.parametrize(("reconstruction", "learns"), [(0.0, False), (0.5, True)])
def test_the_encoder_learns_from_reconstructions_only_if_they_have_a_weight(
    task: str, reconstruction: float, learns: bool
) -> None:
    network, built = build(task=task, reconstruction=reconstruction)
    before = compute_gradients(built)
    decoder = network.network.get_layer(DECODER)
    decoder.set_weights([weight + 0.1 for weight in decoder.get_weights()])
    after = compute_gradients(built)
    assert any((before[path] != after[path]).any() for path in before) == learns


@pytest.mark.parametrize("task", TASKS)
def test_the_saved_autoencoder_reconstructs_from_the_code_alone(task: str) -> None:
    network, _ = build(task=task)
    codes = network.encoder(IMAGES)
    assert codes.shape == (8, 6)
    np.testing.assert_array_equal(network.decoder(codes), network.network(IMAGES))
