"""The default network and its data set's names, for tests that need real ones."""

from cae.datasets.fashion_mnist import CLASS_NAMES as CLASS_NAMES
from cae.networks import convolutional
from cae.networks.autoencoder import Autoencoder

IMAGE_SHAPE = (28, 28, 1)


def autoencoder(seed: int) -> Autoencoder:
    """Build it untrained."""
    return convolutional.build(convolutional.Settings(), IMAGE_SHAPE, seed)
