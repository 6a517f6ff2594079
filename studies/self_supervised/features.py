"""Features that no gradient learns: HOG, visual words, and PCA of both."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from skimage.feature import hog

from cae.core.arrays import Images, Rows
from cae.core.blocks import BLOCK
from cae.datasets.splits import Splits
from cae.engine.engine import choose_engine
from cae.metrics.principal_components import fit_principal_components, sample_rows
from cae.networks import self_supervised
from cae.networks.visual_words import VisualWords

Compute = Callable[[Images], Rows]
"""Images (N, H, W, C) → features (N, D)."""
# Draws the images that PCA is fitted to, and the patches of the visual words.
SEED = 1


def compute_hog(images: Images) -> Rows:
    """Compute histograms of oriented gradients (Dalal, Triggs 2005), in cells of 4 × 4 pixels.

    Nine orientations, blocks of 2 × 2 cells: 1,296 numbers for images of 28 × 28 pixels.
    """
    histograms = [hog(image[..., 0], 9, (4, 4), (2, 2)) for image in images]
    return np.array(histograms, np.float32)


def build_words(images: Images) -> Compute:
    """Fit visual words to training images; return what computes how much regions show each."""
    engine = choose_engine("fast")
    words = VisualWords(
        images.shape[1:], self_supervised.Settings().words, engine.build_forward, engine.arithmetic
    )
    words.fit(images, SEED)
    measure = tf.function(words.measure)
    return lambda block: np.asarray(measure(tf.constant(block)))


def compute_all(images: Splits[Images], compute: Compute) -> Splits[Rows]:
    """Compute the features of all splits in blocks."""
    return Splits(*(np.concatenate(list(iterate(part, compute))) for part in images))


def project(images: Splits[Images], compute: Compute, components: int, fitted_to: int) -> Splits[Rows]:
    """Compute the first principal components of features; PCA is fitted to some training images."""
    sample = sample_rows(images.train, SEED, fitted_to)
    fitted = fit_principal_components(np.concatenate(list(iterate(sample, compute))), components)

    def transform(block: Images) -> Rows:
        return fitted.project(compute(block)).astype(np.float32)

    return compute_all(images, transform)


def iterate(images: Images, compute: Compute) -> Iterator[Rows]:
    """Yield the features of one block of images after another."""
    return map(compute, (images[start : start + BLOCK] for start in range(0, len(images), BLOCK)))
