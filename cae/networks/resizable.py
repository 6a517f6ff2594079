"""A trained autoencoder for pictures of any size: convolutions have none of their own."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import keras

from cae.core.errors import UserError
from cae.datasets import resizing
from cae.networks import autoencoder
from cae.networks.autoencoder import Autoencoder

# Networks kept, one a size: sizes that come again are few, and each network takes megabytes.
KEPT = 8


class ResizableAutoencoder:
    """A saved autoencoder, and the same layers for pictures of other sizes."""

    def __init__(self, path: Path) -> None:
        """Load it; raises as `autoencoder.load`."""
        self.path = path
        self.own = autoencoder.load(path)
        self.image_shape: tuple[int, int, int] = self.own.network.input_shape[1:]
        self._of_other_size = lru_cache(KEPT)(self._stretched)

    @property
    def channels(self) -> int:
        """How many channels its pictures have."""
        return self.image_shape[-1]

    @cached_property
    def stretches(self) -> bool:
        """Whether the network takes other sizes too: a chain of layers that closes where ours does."""
        network = self.own.network
        if not isinstance(network, keras.Sequential) or any(
            isinstance(layer, keras.layers.Dense | keras.layers.Reshape | keras.layers.Flatten)
            for layer in network.layers
        ):
            return False
        longer = (*(resizing.next_valid_side(side + 1) for side in self.image_shape[:2]), self.channels)
        return bool(stretched(network, longer).output_shape[1:] == longer)

    def takes(self, height: int, width: int) -> bool:
        """Whether pictures of a size have its own, or come to it by mirroring their edges as for training."""
        own = self.image_shape[:2]
        return own in ((height, width), (resizing.next_valid_side(height), resizing.next_valid_side(width)))

    def of_size(self, height: int, width: int) -> Autoencoder:
        """Return the network for pictures of a size on which it closes."""
        own = (height, width) == self.image_shape[:2]
        return self.own if own else self._of_other_size(height, width)

    def _stretched(self, height: int, width: int) -> Autoencoder:
        return autoencoder.split(stretched(self.own.network, (height, width, self.channels)))

    def closing(self, side: int) -> int:
        """Return the least side, at least `side`, at which reconstructions have the size of the picture.

        Raises:
            UserError: the network takes its own size alone.
        """
        if self.stretches:
            return resizing.next_valid_side(side)
        raise UserError(
            f"{self.path} takes pictures of {self.image_shape[0]}×{self.image_shape[1]} alone: add --resize, "
            "which stretches them to that size, or, but to encode, --tiles, which cuts them into such pieces"
        )


def stretched(network: keras.Sequential, image_shape: Sequence[int]) -> keras.Sequential:
    """Build a chain of layers anew, with the same weights, for images (H, W, C)."""
    layers = [type(layer).from_config(layer.get_config()) for layer in network.layers]
    again = keras.Sequential([keras.Input(tuple(image_shape), name="image"), *layers], name=network.name)
    again.set_weights(network.get_weights())
    return again
