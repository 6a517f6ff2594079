"""The contract of every network here: an encoder and a decoder, plain Keras, composed into one network.

A new network is a module beside this one with `build(…its own values…, image_shape, seed) -> Autoencoder`,
its values in params.yaml (`ground/params.py`, Model), and a case in each function
of `engine/family.py`.
"""

import math
from pathlib import Path
from typing import NamedTuple

import keras

from cae.core.arrays import Images
from cae.core.errors import UserError

ENCODER, DECODER = "encoder", "decoder"
# Images worked on at once: memory stays bounded however many there are.
BATCH = 500


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


def composed(encoder: keras.Model, decoder: keras.Model) -> Autoencoder:
    """Put a decoder behind an encoder, as models of these names inside the whole; all share their layers.

    Of an encoder with several outputs the first is the code.
    """
    image = keras.Input(encoder.input_shape[1:], name="image")
    encoder.name, decoder.name = ENCODER, DECODER
    (code, *_) = keras.tree.flatten(encoder(image))
    network = keras.Model(image, decoder(code), name="autoencoder")
    return Autoencoder(coding(encoder), decoder, network)


def coding(encoder: keras.Model) -> keras.Model:
    """Return an encoder that gives the code alone, the first of its outputs."""
    if len(encoder.outputs) == 1:
        return encoder
    return keras.Model(encoder.input, encoder.outputs[0], name=ENCODER)


def chained(encoder: keras.Sequential, decoder: keras.Sequential) -> Autoencoder:
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
    """Return the halves of a whole that `composed` or `chained` made, saved or not, sharing its layers.

    Raises:
        ValueError: the names of its layers do not tell where the code is.
    """
    models = {layer.name: layer for layer in network.layers if isinstance(layer, keras.Model)}
    if set(models) == {ENCODER, DECODER}:
        return Autoencoder(coding(models[ENCODER]), models[DECODER], network)
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


def predict(network: keras.Model, inputs: Images) -> Images:
    """Run images or codes (N, …) through a network, a fixed number at a time: memory stays bounded."""
    return network.predict(inputs, batch_size=BATCH, verbose=0)


def load(path: Path, image_shape: tuple[int, ...]) -> Autoencoder:
    """Load a saved autoencoder of images (H, W, C).

    Raises:
        UserError: no file, not a Keras file, a network of another shape, or one without encoder and decoder.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist. Train first: dvc repro train")
    try:
        network = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds for a broken file
        raise UserError(
            f"{path} is not a readable Keras model ({error}). Train again: dvc repro -f train"
        ) from error
    shapes = tuple(tuple((shape or (None,))[1:]) for shape in (network.input_shape, network.output_shape))
    if shapes != (image_shape, image_shape):
        raise UserError(
            f"{path} maps {shapes[0]} to {shapes[1]}, but {image_shape} to {image_shape} is needed. "
            "It was made by another program, or for other images: train again with dvc repro -f train"
        )
    try:
        return split(network)
    except ValueError as error:
        raise UserError(f"{path} has no code: {error}. Train again: dvc repro -f train") from error
