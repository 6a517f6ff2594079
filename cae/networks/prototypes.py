"""How near an image is to each prototype, an image of the training data: targets that need no labels.

    code    c = W x             x: how much the regions of an image show visual words (`visual_words.py`)
    target  t_k = max(0, mean_j ‖c − c_j‖ − ‖c − c_k‖)             c_k: the code of prototype k

W maps x to its first principal components, each divided by √(its variance + RIDGE · their mean variance).
Prototypes that are nearer than the mean count, and the nearer the more, which is the encoding of Coates, Ng,
Lee: An Analysis of Single-Layer Networks in Unsupervised Feature Learning (2011), equation 4, once more.
"""

import math

import numpy as np
import tensorflow as tf

from cae.core import purposes
from cae.core.arrays import Images
from cae.core.blocks import BLOCK
from cae.networks.visual_words import VisualWords, compute_inverse_root, fit_scale

# Principal components that codes have, and the steps of the iteration that finds them.
COMPONENTS, STEPS = 128, 6
# Shares of the mean variance that are added to each variance: before components are divided, so that the
# smallest count less, and within the iteration.
RIDGE, SMALL_RIDGE = 0.2, 1e-5
# Images that components are fitted to, unless there are more prototypes.
LEAST_FITTING_IMAGES = 4000
# Total variance of the prototypes' targets, as a multiple of that of the words' targets.
EMPHASIS = 4


class Prototypes:
    """Images of the training data, and how near other images are to each.

    Args:
        count: the number of prototypes.
        words: how images are compared.
    """

    def __init__(self, count: int, words: VisualWords) -> None:
        self.count, self.words, self.arithmetic = count, words, words.arithmetic

    def fit(self, images: Images, seed: int) -> None:
        """Fit visual words to training images (N, H, W, C), draw prototypes, and find the components.

        Images are drawn with replacement: there may be fewer than prototypes.
        """
        self.words.fit(images, seed)
        dense = self.arithmetic.dense
        draws = np.random.default_rng((seed, 0, purposes.PROTOTYPES))
        sample = images[draws.integers(0, len(images), max(self.count, LEAST_FITTING_IMAGES))]
        blocks = [sample[start : start + BLOCK] for start in range(0, len(sample), BLOCK)]
        rows = tf.concat([self.words.compute_targets(tf.constant(block)) for block in blocks], axis=0)
        basis = tf.constant(draws.random((rows.shape[1], COMPONENTS), np.float32) - np.float32(0.5))
        # Subspace iteration, B ← XᵀX B with orthogonal columns, ends at a basis of the first principal
        # components of rows X. Targets of words have a mean of about 0.
        for _ in range(STEPS):
            basis = dense(tf.transpose(rows), dense(rows, basis))
            basis = dense(basis, self._compute_whitening(basis, SMALL_RIDGE))
        scale = self._compute_whitening(dense(rows, basis), RIDGE) * np.float32(len(rows) ** 0.5)
        self._weights = dense(basis, scale)
        self._codes = dense(rows[: self.count], self._weights)
        self._mean, self._scale = fit_scale(self.arithmetic, self._measure(rows))

    def compute_targets(self, images: tf.Tensor) -> tf.Tensor:
        """Return the visual words' targets, D of them, and the prototypes': (N, H, W, C) → (N, D + count).

        All numbers of prototypes together have EMPHASIS times the variance of all those of words.
        """
        rows = self.words.compute_targets(images)
        near = (self._measure(rows) - self._mean) * self._scale
        scale = np.float32(math.sqrt(EMPHASIS * rows.shape[1] / self.count))
        return tf.concat([rows, scale * near], axis=1)

    def _measure(self, rows: tf.Tensor) -> tf.Tensor:
        """Return how much nearer than the mean each prototype is, or 0: (N, D) → (N, count)."""
        dense, sum_over = self.arithmetic.dense, self.arithmetic.sum_over
        codes = dense(rows, self._weights)
        squares = sum_over(codes * codes, 1)[:, tf.newaxis] + sum_over(self._codes * self._codes, 1)
        distances = tf.sqrt(tf.maximum(squares - 2 * dense(codes, tf.transpose(self._codes)), 0))
        return tf.maximum(sum_over(distances, 1)[:, tf.newaxis] / self.count - distances, 0)

    def _compute_whitening(self, rows: tf.Tensor, ridge: float) -> tf.Tensor:
        """Return (XᵀX + ridge · mean of its diagonal · I)^(−½) of rows X (N, D)."""
        products = self.arithmetic.dense(tf.transpose(rows), rows)
        count = products.shape[0]
        trace = self.arithmetic.sum_over(tf.linalg.diag_part(products), 0)
        return compute_inverse_root(self.arithmetic, products + ridge / count * trace * tf.eye(count))
