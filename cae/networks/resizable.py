"""A saved autoencoder for images of any size: convolutions work on every size."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import keras

from cae.core.arrays import Images, Rows
from cae.core.errors import UserError
from cae.datasets.resizing import next_valid_side
from cae.networks import autoencoder
from cae.networks.autoencoder import Autoencoder, predict

# Networks kept in memory, one for each size; each takes megabytes.
CACHED_SIZES = 8
FIXED_SIZE = (keras.layers.Dense, keras.layers.Reshape, keras.layers.Flatten)


class ResizableAutoencoder:
    """A saved autoencoder, and copies of it with the same weights for images of other sizes."""

    def __init__(self, path: Path) -> None:
        """Load the network; raises as `autoencoder.load`."""
        self.path = path
        self.autoencoder = autoencoder.load(path)
        self.image_shape: tuple[int, int, int] = self.autoencoder.network.input_shape[1:]
        self._copy = lru_cache(CACHED_SIZES)(self._copy_to)

    @cached_property
    def is_resizable(self) -> bool:
        """Whether the network is a chain of layers that gives larger images back in their size."""
        network = self.autoencoder.network
        if not isinstance(network, keras.Sequential):
            return False
        if any(isinstance(layer, FIXED_SIZE) for layer in network.layers):
            return False
        height, width, channels = self.image_shape
        larger = (next_valid_side(height + 1), next_valid_side(width + 1), channels)
        return bool(copy_network(network, larger).output_shape[1:] == larger)

    def resize(self, height: int, width: int) -> Autoencoder:
        """Return the autoencoder for images of a size with valid sides, see `next_valid_side`.

        Raises:
            UserError: the network takes images of one size only, and this is another one.
        """
        if (height, width) == self.image_shape[:2]:
            return self.autoencoder
        if self.is_resizable:
            return self._copy(height, width)
        raise UserError(
            f"{self.path} takes images of {self.image_shape[0]}×{self.image_shape[1]} only, not "
            f"{height}×{width}. Resize the images to that size, or cut them into tiles of it; to export the "
            "network, leave --size out"
        )

    def encode(self, images: Images) -> Rows:
        """(N, H, W, C) → codes (N, D); raises as `resize`."""
        return predict(self.resize(*images.shape[1:3]).encoder, images).reshape(len(images), -1)

    def reconstruct(self, images: Images) -> Images:
        """(N, H, W, C) → reconstructions of the same shape; raises as `resize`."""
        reconstructions: Images = predict(self.resize(*images.shape[1:3]).network, images)
        return reconstructions

    def _copy_to(self, height: int, width: int) -> Autoencoder:
        shape = (height, width, self.image_shape[-1])
        return autoencoder.split(copy_network(self.autoencoder.network, shape))


def copy_network(network: keras.Sequential, image_shape: Sequence[int]) -> keras.Sequential:
    """Copy a chain of layers with its weights, for images (H, W, C) of another size."""
    layers = [type(layer).from_config(layer.get_config()) for layer in network.layers]
    copy = keras.Sequential([keras.Input(tuple(image_shape), name="image"), *layers], name=network.name)
    copy.set_weights(network.get_weights())
    return copy
