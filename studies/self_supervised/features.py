"""Features that no gradient learns: HOG, visual words, prototypes, and PCA of them."""

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
from cae.networks.prototypes import Prototypes
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


def fit_words(images: Images) -> Compute:
    """Fit visual words to training images; return what computes how much regions show each."""
    words = build_words(images)
    words.fit(images, SEED)
    return run_in_graph(words.measure)


def fit_prototypes(images: Images) -> Compute:
    """Fit visual words and prototypes; return what computes both, the targets of the task `prototypes`."""
    prototypes = Prototypes(self_supervised.Settings().prototypes, build_words(images))
    prototypes.fit(images, SEED)
    return run_in_graph(prototypes.compute_targets)


def build_words(images: Images) -> VisualWords:
    """Build the visual words of the self-supervised network, for images (N, H, W, C)."""
    engine = choose_engine("fast")
    count = self_supervised.Settings().words
    return VisualWords(images.shape[1:], count, engine.build_forward, engine.arithmetic)


def run_in_graph(compute: Callable[[tf.Tensor], tf.Tensor]) -> Compute:
    """Return a function of arrays that computes in a graph."""
    graph = tf.function(compute)
    return lambda block: np.asarray(graph(tf.constant(block)))


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
