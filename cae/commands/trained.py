"""A trained autoencoder for pictures of any size: convolutions have none of their own."""

from collections.abc import Sequence
from pathlib import Path

import keras

from cae.ground.errors import UserError
from cae.networks import autoencoder
from cae.networks.autoencoder import Autoencoder

# A convolutional network closes on every eighth side; a deeper one on fewer.
STEPS = 64


class Trained:
    """A saved autoencoder, and the same layers for pictures of other sizes."""

    def __init__(self, path: Path) -> None:
        """Load it; raises as `loaded`."""
        self.path = path
        whole = loaded(path)
        self.image_shape: tuple[int, int, int] = whole.network.input_shape[1:]
        self._by_size = {self.image_shape[:2]: whole}
        self._closing: dict[int, int] = {}

    @property
    def channels(self) -> int:
        """How many channels its pictures have."""
        return self.image_shape[-1]

    @property
    def own(self) -> Autoencoder:
        """The network for the size that it was trained on."""
        return self._by_size[self.image_shape[:2]]

    @property
    def stretches(self) -> bool:
        """Whether the network takes other sizes too: its layers are one chain, none for one size alone."""
        return isinstance(self.own.network, keras.Sequential) and not any(
            isinstance(layer, keras.layers.Dense | keras.layers.Reshape | keras.layers.Flatten)
            for layer in self.own.network.layers
        )

    def closing(self, side: int) -> int:
        """Return the least side, at least `side`, at which reconstructions have the size of the picture.

        Raises:
            UserError: the network takes its own size alone.
        """
        if not self.stretches:
            raise UserError(
                f"{self.path} takes pictures of {self.image_shape[0]}×{self.image_shape[1]} alone: add "
                "--resize, which stretches them to that size, or --tiles, which cuts them into such pieces"
            )
        if side not in self._closing:
            self._closing[side] = next(
                longer
                for longer in range(side, side + STEPS)
                if longer >= min(self.image_shape[:2]) // 2
                and stretched(self.own.network, (longer, longer, self.channels)).output_shape[1] == longer
            )
        return self._closing[side]

    def of_size(self, size: tuple[int, int]) -> Autoencoder:
        """Return the network for pictures of (height, width), on which it closes."""
        if size not in self._by_size:
            self._by_size[size] = autoencoder.split(stretched(self.own.network, (*size, self.channels)))
        return self._by_size[size]


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
    try:
        return autoencoder.split(network)
    except ValueError as error:
        raise UserError(f"{path} has no code: {error}. Name a network that the pipeline saved") from error
