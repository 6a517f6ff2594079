"""How much each region of an image shows each visual word: targets that need no labels.

Visual words are patterns that patches of the training images often show; k-means finds them in whitened
patches. Averaged over regions, they are strong features for linear classifiers: Coates, Ng, Lee: An Analysis
of Single-Layer Networks in Unsupervised Feature Learning (2011). A network can learn to predict them: Gidaris
et al.: Learning Representations by Predicting Bags of Visual Words (2020), https://arxiv.org/abs/2002.12247.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from cae.core import purposes
from cae.core.arrays import Images

# Side of a patch in pixels, and how many regions an image has along each side.
PATCH, REGIONS = 6, 4
# Added to the standard deviation of a patch, so that noise in a smooth one is not taken for a pattern.
SMOOTH = 0.1
# Patches that words are fitted to, and the steps of k-means.
PATCHES, STEPS = 20_000, 10
# Added to the variances before whitening.
REGULARISATION = 0.1
# Steps of the iteration that finds an inverse root.
ROOT_STEPS = 30
# Images that the targets are standardised by.
STANDARDISING_IMAGES = 1000


class VisualWords:
    """A dictionary of patterns, and how much the regions of images are like them.

    Args:
        image_shape: (H, W, C).
        count: the number of words.
        build_forward: a Keras network → a function that computes it.
        arithmetic: `cae.engine.exact` or `cae.engine.stock`.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        count: int,
        build_forward: Callable[[keras.Model], Callable[[Any], Any]],
        arithmetic: ModuleType,
    ) -> None:
        self.side = min(PATCH, *image_shape[:2])
        self.count, self.arithmetic = count, arithmetic
        image = keras.Input(image_shape)
        self._convolution = layers.Conv2D(count, self.side, activation="relu", use_bias=False)
        average = layers.Conv2D(1, self.side, use_bias=False)
        square = layers.Multiply()([image, image])
        model = keras.Model(image, [self._convolution(image), average(image), average(square)])
        average.set_weights([np.full(average.kernel.shape, 1 / self._size, np.float32)])
        self._run = build_forward(model)
        size = REGIONS * REGIONS * count
        self._mean, self._scale = np.zeros(size, np.float32), np.float32(1)

    @property
    def _size(self) -> int:
        """How many numbers a patch has."""
        size: int = self.side * self.side * self._convolution.kernel.shape[2]
        return size

    def fit(self, images: Images, seed: int) -> None:
        """Find the words of training images (N, H, W, C) by k-means on some of their patches."""
        dense, sum_over = self.arithmetic.dense, self.arithmetic.sum_over
        draws = np.random.default_rng((seed, 0, purposes.VISUAL_WORDS))
        patches = self._normalise(tf.constant(self._draw_patches(images, draws)))
        patches = patches - sum_over(patches, 0)[tf.newaxis] / len(patches)
        covariance = dense(tf.transpose(patches), patches) / len(patches)
        whiten = compute_inverse_root(self.arithmetic, covariance + REGULARISATION * tf.eye(self._size))
        white = dense(patches, whiten)
        # k-means starts from the first patches, which were drawn at random.
        words = white[: self.count]
        for _ in range(STEPS):
            distances = sum_over(words * words, 1)[tf.newaxis] - 2 * dense(white, tf.transpose(words))
            members = tf.one_hot(tf.argmin(distances, axis=1), len(words))
            sizes = sum_over(members, 0)[:, tf.newaxis]
            means = dense(tf.transpose(members), white) / tf.maximum(sizes, 1)
            words = tf.where(sizes > 0, means, words)
        kernels = dense(scale_to_length_1(self.arithmetic, words), whiten)
        # Kernels sum to 0, so that brightness has no effect.
        centred = kernels - sum_over(kernels, 1)[:, tf.newaxis] / self._size
        kernels = scale_to_length_1(self.arithmetic, centred)
        shape = self._convolution.kernel.shape
        self._convolution.set_weights([np.asarray(tf.transpose(kernels)).reshape(shape)])
        sample = images[draws.integers(0, len(images), STANDARDISING_IMAGES)]
        self._mean, self._scale = fit_scale(self.arithmetic, self.measure(tf.constant(sample)))

    def compute_targets(self, images: tf.Tensor) -> tf.Tensor:
        """Return `measure` with mean 0 each and a mean variance of 1: (N, H, W, C) → (N, 16·count)."""
        return (self.measure(images) - self._mean) * self._scale

    def measure(self, images: tf.Tensor) -> tf.Tensor:
        """Return how much regions are like words: (N, H, W, C) in [0, 1] → (N, 16·count) ≥ 0.

        The square root of the mean of max(0, w · (p − mean p) / (sd p + SMOOTH)) over the patches p of a
        region, or of zeros beyond the last row or column; pixels are square roots, as for the encoder.
        """
        sum_over = self.arithmetic.sum_over
        alike, mean, square = self._run(tf.sqrt(images))
        # TensorFlow turns a division by a root alone into a product with an inexact reciprocal root.
        alike = alike / (tf.sqrt(tf.maximum(square - mean * mean, 0)) + SMOOTH)
        count, height, width, words = alike.shape
        rows, columns = -(-height // REGIONS), -(-width // REGIONS)
        missing = [[0, 0], [0, REGIONS * rows - height], [0, REGIONS * columns - width], [0, 0]]
        lines = tf.reshape(tf.pad(alike, missing), (count * REGIONS, rows, REGIONS * columns * words))
        regions = tf.reshape(sum_over(lines, 1), (count * REGIONS * REGIONS, columns, words))
        return tf.reshape(tf.sqrt(sum_over(regions, 1) / (rows * columns)), (count, -1))

    def _draw_patches(self, images: Images, draws: np.random.Generator) -> Any:
        """Draw patches (M, side²·C) from the square roots of images."""
        height, width = (length - self.side + 1 for length in images.shape[1:3])
        places = [draws.integers(0, end, PATCHES) for end in (len(images), height, width)]
        patches = [
            images[index, top : top + self.side, left : left + self.side]
            for index, top, left in zip(*places, strict=True)
        ]
        return np.sqrt(np.stack(patches)).reshape(PATCHES, -1)

    def _normalise(self, patches: tf.Tensor) -> tf.Tensor:
        """Remove brightness and contrast from patches (M, D)."""
        sum_over = self.arithmetic.sum_over
        centred = patches - sum_over(patches, 1)[:, tf.newaxis] / self._size
        return centred / (tf.sqrt(sum_over(centred * centred, 1)[:, tf.newaxis] / self._size) + SMOOTH)


def fit_scale(arithmetic: ModuleType, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the mean of rows (M, D), and the factor by which their mean variance is 1 around it."""
    mean = arithmetic.sum_over(rows, 0) / len(rows)
    centred = rows - mean
    variance = (
        arithmetic.sum_over(arithmetic.sum_over(centred * centred, 0), 0) / centred.shape.num_elements()
    )
    # Rows that are all the same are not scaled up to noise.
    return mean, 1 / tf.sqrt(tf.maximum(variance, 1e-4))


def scale_to_length_1(arithmetic: ModuleType, rows: tf.Tensor) -> tf.Tensor:
    """Scale rows (M, D) to length 1; rows of zeros stay."""
    lengths = tf.sqrt(arithmetic.sum_over(rows * rows, 1))[:, tf.newaxis]
    return tf.math.divide_no_nan(rows, lengths)


def compute_inverse_root(arithmetic: ModuleType, matrix: tf.Tensor) -> tf.Tensor:
    """Return M^(−½) of a symmetric positive definite matrix (D, D), by products alone.

    The coupled Newton (Newton–Schulz) iteration of Higham: Functions of Matrices (2008), equation 6.35:
    Y ← Y T, Z ← T Z with T = ½(3I − Z Y); it converges where all eigenvalues are at most 1.
    """
    dense, one = arithmetic.dense, tf.eye(matrix.shape[0])
    trace = arithmetic.sum_over(tf.linalg.diag_part(matrix), 0)
    root, inverse = matrix / trace, one
    for _ in range(ROOT_STEPS):
        step = (3 * one - dense(inverse, root)) / 2
        root, inverse = dense(root, step), dense(step, inverse)
    return inverse / tf.sqrt(trace)
