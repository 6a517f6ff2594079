"""Visual words: patterns that patches of images often show, and how much regions show each."""

from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from cae.core.arrays import Images
from cae.engine import exact, stock
from cae.engine.engine import choose_engine
from cae.networks import visual_words
from cae.networks.visual_words import (
    PATCH,
    REGIONS,
    SMOOTH,
    VisualWords,
    compute_inverse_root,
)

ARITHMETIC = pytest.mark.parametrize("arithmetic", [exact, stock], ids=["fast", "stock"])


def draw(*shape: int) -> Images:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def build(shape: tuple[int, ...], count: int, engine: str = "fast") -> VisualWords:
    chosen = choose_engine(engine)
    return VisualWords(shape, count, chosen.build_forward, chosen.arithmetic)


def get_kernels(words: VisualWords) -> npt.NDArray[np.float32]:
    """Return the words as patches (side, side, C, count)."""
    kernels: npt.NDArray[np.float32] = np.asarray(words._convolution.kernel)
    return kernels


@pytest.mark.parametrize("engine", ["fast", "stock"])
@pytest.mark.parametrize("shape", [(12, 9, 1), (5, 8, 3)])
def test_regions_are_compared_with_words_without_brightness_and_contrast(
    shape: tuple[int, int, int], engine: str
) -> None:
    images, words = draw(3, *shape), build(shape, 4, engine)
    words.fit(images, 1)
    side = min(PATCH, *shape[:2])
    windows = np.lib.stride_tricks.sliding_window_view(np.sqrt(images), (side, side), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3)
    alike = np.maximum(np.tensordot(patches, get_kernels(words), 3), 0)
    alike /= patches.std(axis=(3, 4, 5))[..., np.newaxis] + SMOOTH
    rows, columns = (-(-length // REGIONS) for length in alike.shape[1:3])
    sums = [
        alike[:, row * rows : (row + 1) * rows, column * columns : (column + 1) * columns].sum(axis=(1, 2))
        for row in range(REGIONS)
        for column in range(REGIONS)
    ]
    roots = np.sqrt(np.stack(sums, axis=1) / (rows * columns)).reshape(3, -1)
    np.testing.assert_allclose(words.measure(tf.constant(images)), roots, rtol=1e-4, atol=1e-4)


def test_words_have_length_1_and_ignore_brightness() -> None:
    words = build((12, 9, 1), 5)
    words.fit(draw(9, 12, 9, 1), 1)
    kernels = get_kernels(words)
    np.testing.assert_allclose(np.square(kernels).sum(axis=(0, 1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(kernels.sum(axis=(0, 1, 2)), 0, atol=1e-5)


def test_words_are_the_patterns_of_the_images() -> None:
    # Every patch of a row of stripes is one of two patterns, each other's negative.
    stripes = np.tile(np.repeat([0.0, 1.0], 1), (7, 10, 4))[..., np.newaxis].astype(np.float32)
    words = build(stripes.shape[1:], 2)
    words.fit(stripes, 1)
    first, second = get_kernels(words)[..., 0, :].transpose(2, 0, 1)
    pattern = np.tile([-1 / 6, 1 / 6], (6, 3))
    np.testing.assert_allclose(sorted([first[0, 0], second[0, 0]]), [-1 / 6, 1 / 6], atol=1e-3)
    np.testing.assert_allclose(np.abs(first * 6), np.abs(pattern * 6), atol=1e-2)
    np.testing.assert_allclose(first, -second, atol=1e-3)


def test_the_words_depend_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visual_words, "PATCHES", 50)
    images = draw(9, 12, 9, 1)
    fitted = []
    for seed in (1, 1, 2):
        words = build((12, 9, 1), 5)
        words.fit(images, seed)
        fitted.append(get_kernels(words))
    np.testing.assert_array_equal(fitted[0], fitted[1])
    assert (fitted[0] != fitted[2]).any()


@ARITHMETIC
def test_the_inverse_root_whitens(arithmetic: ModuleType) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 7)) * np.linspace(0.1, 3, 7)
    covariance = np.cov(rows.T)
    root = np.asarray(compute_inverse_root(arithmetic, tf.constant(covariance, tf.float32)))
    np.testing.assert_allclose(root @ covariance @ root, np.eye(7), atol=1e-3)


def test_targets_have_mean_0_and_variance_1_on_the_training_images() -> None:
    images, words = draw(40, 12, 9, 1), build((12, 9, 1), 5)
    words.fit(images, 1)
    targets = np.asarray(words.compute_targets(tf.constant(images)))
    np.testing.assert_allclose(targets.mean(axis=0), 0, atol=0.3)
    assert targets.var(axis=0).mean() == pytest.approx(1, abs=0.1)
