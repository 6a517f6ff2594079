"""The networks: plain Keras Sequentials without custom objects."""

from pathlib import Path

import keras
from keras import layers

from cae.arrays import Images
from cae.errors import UserError

IMAGE_SHAPE = (28, 28, 1)
FILTERS = (32, 16, 8)
CODE_SHAPE = (4, 4, FILTERS[-1])
CODE_SIZE = CODE_SHAPE[0] * CODE_SHAPE[1] * CODE_SHAPE[2]
# Three convolutions, each followed by a pooling.
ENCODER_LAYERS = 2 * len(FILTERS)


def autoencoder(seed: int) -> keras.Sequential:
    """Build the untrained convolutional autoencoder, 12,785 parameters, code (4, 4, 8).

    (N, 28, 28, 1) float32 in [0, 1] → the same shape and range. Every kernel is drawn (Glorot uniform)
    from `seed` and its place in the network alone, so the start does not depend on any global state.
    """
    kernel_seeds = iter(range(seed * 100, seed * 100 + 100))

    def convolution(filters: int, activation: str = "relu", padding: str = "same") -> layers.Conv2D:
        initializer = keras.initializers.GlorotUniform(seed=next(kernel_seeds))
        return layers.Conv2D(
            filters, 3, padding=padding, activation=activation, kernel_initializer=initializer
        )

    wide, middle, narrow = FILTERS
    network = keras.Sequential(name="autoencoder")
    network.add(keras.Input(IMAGE_SHAPE, name="image"))
    # "same" pooling rounds 7 up to 4; with 3 the decoder could not come back to 28.
    for filters in FILTERS:
        network.add(convolution(filters))
        network.add(layers.MaxPooling2D(2, padding="same"))
    for filters, padding in ((narrow, "same"), (middle, "same"), (wide, "valid")):
        network.add(convolution(filters, padding=padding))
        network.add(layers.UpSampling2D(2))
    network.add(convolution(1, activation="sigmoid"))
    for index, layer in enumerate(network.layers):
        layer.name = (
            f"{'encoder' if index < ENCODER_LAYERS else 'decoder'}_{index}_{type(layer).__name__.lower()}"
        )
    return network


def encoder(network: keras.Sequential) -> keras.Sequential:
    """Return the first half of an autoencoder, sharing its layers: images → codes (N, 4, 4, 8) ≥ 0."""
    return keras.Sequential(
        [keras.Input(IMAGE_SHAPE, name="image"), *network.layers[:ENCODER_LAYERS]], name="encoder"
    )


def decoder(network: keras.Sequential) -> keras.Sequential:
    """Return the second half of an autoencoder, sharing its layers: codes (N, 4, 4, 8) → images."""
    return keras.Sequential(
        [keras.Input(CODE_SHAPE, name="code"), *network.layers[ENCODER_LAYERS:]], name="decoder"
    )


def reconstruct(network: keras.Sequential, images: Images) -> Images:
    """Run images (N, 28, 28, 1) through a network, a fixed number at a time: memory stays bounded."""
    return network.predict(images, batch_size=500, verbose=0)


def load(path: Path, output_shape: tuple[int, ...]) -> keras.Sequential:
    """Load a saved network that turns images (28, 28, 1) into `output_shape`.

    Raises:
        UserError: no file, not a Keras file, or a network of another shape.

    """
    if not path.exists():
        raise UserError(f"{path} does not exist. Train first: dvc repro train")
    try:
        network = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds for a broken file
        raise UserError(
            f"{path} is not a readable Keras model ({error}). Train again: dvc repro -f train"
        ) from error
    found = (tuple(network.input_shape[1:]), tuple(network.output_shape[1:]))
    if found != (IMAGE_SHAPE, output_shape):
        raise UserError(
            f"{path} maps {found[0]} to {found[1]}, but {IMAGE_SHAPE} to {output_shape} is needed. "
            "It was made by another program: train again with dvc repro -f train"
        )
    return network
