"""Prototypes: how near an image is to each of many training images."""

from types import ModuleType, SimpleNamespace
from typing import cast

import numpy as np
import pytest
import tensorflow as tf
from sklearn.decomposition import PCA

from cae.core import purposes
from cae.core.arrays import Rows
from cae.engine import exact, stock
from cae.networks import prototypes
from cae.networks.prototypes import EMPHASIS, RIDGE, Prototypes
from cae.networks.visual_words import VisualWords

COUNT = 4
ARITHMETIC = pytest.mark.parametrize("arithmetic", [exact, stock], ids=["fast", "stock"])


@pytest.fixture(autouse=True)
def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prototypes, "COMPONENTS", 3)
    monkeypatch.setattr(prototypes, "LEAST_FITTING_IMAGES", 60)


def draw_rows() -> Rows:
    """Draw rows (40, 7) around 0 that vary along three directions, and hardly along others."""
    rows = np.random.default_rng(0).normal(size=(40, 7)) * [3, 2, 1, 0.02, 0.02, 0.02, 0.02]
    return (rows - rows.mean(axis=0)).astype(np.float32)


def build(arithmetic: ModuleType, seed: int = 1) -> Prototypes:
    # Numbers take the place of visual words.
    words = SimpleNamespace(arithmetic=arithmetic, fit=lambda rows, seed: None, compute_targets=tf.identity)
    fitted = Prototypes(COUNT, cast(VisualWords, words))
    fitted.fit(draw_rows(), seed)
    return fitted


@ARITHMETIC
def test_targets_say_how_much_nearer_than_the_mean_a_prototype_is(arithmetic: ModuleType) -> None:
    rows, fitted = draw_rows(), build(arithmetic)
    sample = rows[np.random.default_rng((1, 0, purposes.PROTOTYPES)).integers(0, 40, 60)]
    components = PCA(3).fit(sample).components_
    scores = sample @ components.T
    variances = np.square(scores).mean(axis=0)
    scale = components.T / np.sqrt(variances + RIDGE * variances.mean())
    codes, of_prototypes = rows @ scale, sample[:COUNT] @ scale
    distances = np.linalg.norm(codes[:, np.newaxis] - of_prototypes, axis=2)
    near = np.maximum(0, distances.mean(axis=1, keepdims=True) - distances)
    found = np.asarray(fitted.compute_targets(tf.constant(rows)))
    np.testing.assert_array_equal(found[:, :7], rows)
    emphasis = np.sqrt(EMPHASIS * 7 / COUNT)
    np.testing.assert_allclose(found[:, 7:] / emphasis / fitted._scale + fitted._mean, near, atol=0.05)


def test_targets_have_mean_0_and_variance_1_on_the_training_images() -> None:
    sample = draw_rows()[np.random.default_rng((1, 0, purposes.PROTOTYPES)).integers(0, 40, 60)]
    targets = np.asarray(build(exact).compute_targets(tf.constant(sample)))[:, 7:]
    targets = targets / np.sqrt(EMPHASIS * 7 / COUNT)
    np.testing.assert_allclose(targets.mean(axis=0), 0, atol=1e-4)
    assert targets.var(axis=0).mean() == pytest.approx(1, abs=1e-4)


def test_the_prototypes_depend_on_the_seed_alone() -> None:
    first, again, other = (build(exact, seed)._codes for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (np.asarray(first) != np.asarray(other)).any()


def test_a_second_fit_is_the_same() -> None:
    fitted = build(exact)
    before = fitted.compute_targets(tf.constant(draw_rows()))
    fitted.fit(draw_rows(), 1)
    np.testing.assert_array_equal(fitted.compute_targets(tf.constant(draw_rows())), before)
