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


class Trained:
    """A saved autoencoder, and the same layers for pictures of other sizes."""

    def __init__(self, path: Path) -> None:
        """Load it; raises as `loaded`."""
        self.path = path
        self.own = loaded(path)
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
        longer = (*(resizing.closing(side + 1) for side in self.image_shape[:2]), self.channels)
        return bool(stretched(network, longer).output_shape[1:] == longer)

    def takes(self, height: int, width: int) -> bool:
        """Whether pictures of a size have its own, or come to it by mirroring their edges as for training."""
        own = self.image_shape[:2]
        return own in ((height, width), (resizing.closing(height), resizing.closing(width)))

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
            return resizing.closing(side)
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


def loaded(path: Path) -> Autoencoder:
    """Load a saved autoencoder of images (H, W, C).

    Raises:
        UserError: no file, nothing that Keras reads safely, or no network from images to images with a code.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is no file: name a network that the pipeline saved, models/autoencoder.keras"
        )
    try:
        # Safe mode: a file can hold code, as a Lambda layer, which Keras then does not run.
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds for a broken file
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{path} is not a network that Keras loads safely ({reason}): name one that the pipeline saved"
        ) from error
    shapes = [getattr(network, name, None) for name in ("input_shape", "output_shape")]
    if not isinstance(shapes[0], tuple) or len(shapes[0]) != 4 or shapes[0] != shapes[1]:
        raise UserError(
            f"{path} maps {shapes[0]} to {shapes[1]}, but an autoencoder maps images (N, H, W, C) to the "
            "like: name models/autoencoder.keras, not the encoder"
        )
    if None in shapes[0][1:] or shapes[0][-1] not in (1, 3):
        raise UserError(
            f"{path} takes pictures of {shapes[0][1:]}, but a height, a width and 1 or 3 channels are "
            "needed: name a network that was trained on such"
        )
    try:
        return autoencoder.split(network)
    except ValueError as error:
        raise UserError(f"{path} has no code: {error}. Name a network that the pipeline saved") from error
