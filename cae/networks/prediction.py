"""Images of any size through a network, a bounded number of pixels at a time."""

from collections.abc import Iterator

import keras
import numpy as np

from cae.core.arrays import Images
from cae.networks.autoencoder import BATCH

# Pixels worked on at once: BATCH images of 28 × 28, or fewer larger ones.
PIXELS = BATCH * 28 * 28


def most(height: int, width: int) -> int:
    """Return how many images of a size are worked on at once."""
    return max(1, min(BATCH, PIXELS // (height * width)))


def blocks(images: Images) -> Iterator[Images]:
    """Yield images (N, H, W, C) in blocks that memory holds easily."""
    size = most(*images.shape[1:3])
    for start in range(0, len(images), size):
        yield images[start : start + size]


def predicted(network: keras.Model, images: Images) -> Images:
    """Run images (N, H, W, C) through a network."""
    # Keras's predict would copy all images into memory first.
    return np.concatenate([np.asarray(network.predict_on_batch(block)) for block in blocks(images)])
