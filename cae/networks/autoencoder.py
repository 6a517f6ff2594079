"""What every network here is: an encoder and a decoder, plain Keras, joined to one network.

`model.py` says what a module has to define to be a network.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from cae.core.arrays import Images, Rows
from cae.core.blocks import BLOCK, block_size
from cae.core.errors import UserError

ENCODER, DECODER = "encoder", "decoder"


class Autoencoder(NamedTuple):
    """Three networks over the same layers."""

    encoder: keras.Model  # images (N, H, W, C) → codes (N, …)
    decoder: keras.Model  # codes (N, …) → images (N, H, W, C) in [0, 1], by a sigmoid
    network: keras.Model  # both: images → reconstructions

    @property
    def code_shape(self) -> tuple[int, ...]:
        """The shape of one image's code."""
        return tuple(self.encoder.output_shape[1:])

    @property
    def code_size(self) -> int:
        """How many numbers the code of one image has."""
        return math.prod(self.code_shape)

    def encode(self, images: Images) -> Rows:
        """Encode images (N, H, W, C) in blocks: codes as rows (N, D) float32."""
        return np.asarray(predict(self.encoder, images)).reshape(len(images), -1)

    def decode(self, codes: Rows) -> Images:
        """Decode codes (…, D) in blocks: images (N, H, W, C) float32 in [0, 1], N the product of …."""
        return np.asarray(predict(self.decoder, codes.reshape(-1, *self.code_shape)))


def compose(encoder: keras.Model, decoder: keras.Model) -> Autoencoder:
    """Put a decoder behind an encoder, as models of these names inside the whole; all share their layers.

    Of an encoder with several outputs the first is the code.
    """
    image = keras.Input(encoder.input_shape[1:], name="image")
    encoder.name, decoder.name = ENCODER, DECODER
    (code, *_) = keras.tree.flatten(encoder(image))
    network = keras.Model(image, decoder(code), name="autoencoder")
    return Autoencoder(take_code(encoder), decoder, network)


def take_code(encoder: keras.Model) -> keras.Model:
    """Return an encoder that gives the code alone, the first of its outputs."""
    if len(encoder.outputs) == 1:
        return encoder
    return keras.Model(encoder.input, encoder.outputs[0], name=ENCODER)


def chain(encoder: keras.Sequential, decoder: keras.Sequential) -> Autoencoder:
    """Put a decoder behind an encoder as one flat chain of layers; all share them.

    Layers are renamed to encoder_0_KIND … decoder_12_KIND, counted through: by it `split` tells them apart.
    """
    layers = [*encoder.layers, *decoder.layers]
    for index, layer in enumerate(layers):
        half = ENCODER if index < len(encoder.layers) else DECODER
        layer.name = f"{half}_{index}_{type(layer).__name__.lower()}"
    image = keras.Input(encoder.input_shape[1:], name="image")
    return Autoencoder(encoder, decoder, keras.Sequential([image, *layers], name="autoencoder"))


def split(network: keras.Model) -> Autoencoder:
    """Return the halves of a whole that `compose` or `chain` made, saved or not, sharing its layers.

    Raises:
        ValueError: the names of its layers do not tell where the code is.
    """
    models = {layer.name: layer for layer in network.layers if isinstance(layer, keras.Model)}
    if set(models) == {ENCODER, DECODER}:
        return Autoencoder(take_code(models[ENCODER]), models[DECODER], network)
    encoding, decoding = (
        [layer for layer in network.layers if layer.name.startswith(half)] for half in (ENCODER, DECODER)
    )
    if not (encoding and decoding) or [*encoding, *decoding] != network.layers:
        raise ValueError(f"the layers of {network.name} are not an encoder's and then a decoder's")
    code_shape = encoding[-1].output.shape[1:]
    image, code = keras.Input(network.input_shape[1:], name="image"), keras.Input(code_shape, name="code")
    return Autoencoder(
        keras.Sequential([image, *encoding], name=ENCODER),
        keras.Sequential([code, *decoding], name=DECODER),
        network,
    )


def find_largest_output(network: keras.Model) -> int:
    """Return how many numbers the largest output of a layer has per image."""
    return max(
        find_largest_output(layer)
        if isinstance(layer, keras.Model)
        else max(math.prod(output.shape[1:]) for output in keras.tree.flatten(layer.output))
        for layer in network.layers
    )


def predict(network: keras.Model, inputs: Images) -> Any:
    """Run images or codes (N, …) through a network in blocks, so that memory stays bounded.

    Returns an array (N, …) float32 for each output of the network: one array, or a list of them.
    """
    shapes = [shape[1:3] for shape in (network.input_shape, network.outputs[0].shape) if len(shape) == 4]
    size = min([BLOCK, *(block_size(*shape) for shape in shapes)])
    # Keras's own predict copies all images into memory first.
    blocks = [network.predict_on_batch(inputs[start : start + size]) for start in range(0, len(inputs), size)]
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *blocks)


def load(path: Path, image_shape: tuple[int, ...] | None = None) -> Autoencoder:
    """Load a saved autoencoder of images (H, W, C), with 1 or 3 channels, in Keras's safe mode.

    Args:
        path: a `.keras` file, with or without this library's networks.
        image_shape: (H, W, C) that the network must have; None accepts any.

    Raises:
        UserError: no such file, not a network that Keras loads safely, or not an autoencoder of such images.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is not a file. Train a network first (dvc repro train), or name a saved one, such as "
            "models/autoencoder.keras"
        )
    network = load_safely(path, "network", "Train it again (dvc repro -f train), or name another file")
    shapes = [getattr(network, name, None) for name in ("input_shape", "output_shape")]
    found, reconstructed = (shape[1:] if isinstance(shape, tuple) else shape for shape in shapes)
    if found != reconstructed or found is None or len(found) != 3:
        raise UserError(
            f"{path} maps {found} to {reconstructed}, but an autoencoder maps images (height, width, "
            "channels) to images of the same shape. Name models/autoencoder.keras, not the encoder"
        )
    if image_shape not in (None, found):
        raise UserError(
            f"{path} takes images of shape {found}, but {image_shape} is needed. It was trained on other "
            "images: train it again with dvc repro -f train"
        )
    if None in found or found[-1] not in (1, 3):
        raise UserError(
            f"{path} takes images of shape {found}, but a fixed height and width and 1 or 3 channels are "
            "needed. Name a network that was trained on such images"
        )
    try:
        return split(network)
    except ValueError as error:
        raise UserError(f"{path} has no code: {error}. Name a network that the pipeline saved") from error


def load_safely(path: Path, kind: str, remedy: str, part: str | None = None) -> keras.Model:
    """Load a saved model in Keras's safe mode.

    Args:
        path: a `.keras` file.
        kind: what it should be, for the error.
        remedy: what the user can do, for the error.
        part: the name of a layer that it must have; None for no such layer.

    Raises:
        UserError: it is damaged, has no such layer, or has code that safe mode refuses.
    """
    try:
        # A file can hold code, as a Lambda layer: safe mode refuses to run it.
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        if part is not None:
            model.get_layer(part)
    except Exception as error:  # Keras raises many kinds of exceptions for a broken file
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{path} is not a {kind} that Keras loads safely ({reason}). {remedy}") from error
    return model
