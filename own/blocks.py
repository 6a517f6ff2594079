"""Many pieces through a network or a baseline, a bounded number at a time."""

from collections.abc import Iterator

import keras
import numpy as np

from cae.ground.arrays import Images
from cae.networks.autoencoder import BATCH

# Pixels worked on at once: BATCH pieces of 28 × 28, or fewer larger ones.
PIXELS = BATCH * 28 * 28


def most(pieces: Images) -> int:
    """Return how many pieces (N, h, w, C) are worked on at once."""
    return max(1, min(BATCH, PIXELS // (pieces.shape[1] * pieces.shape[2])))


def blocks(pieces: Images) -> Iterator[Images]:
    """Yield pieces in blocks that memory holds easily."""
    size = most(pieces)
    for start in range(0, len(pieces), size):
        yield pieces[start : start + size]


def predicted(network: keras.Model, pieces: Images) -> Images:
    """Run pieces (N, h, w, C) through a network."""
    return np.asarray(network.predict(pieces, batch_size=most(pieces), verbose=0))
