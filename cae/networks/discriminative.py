"""The discriminative network: it reconstructs images without their defects, and marks where these are.

    encoder   three convolutions and poolings to the code, as the default network, each convolution twice
    decoder   the default network's
    defects   back up from the second pooling, to the logit of each pixel to be part of a defect; what the
              encoder computed at each size is added, as in a U-Net (Ronneberger et al. 2015,
              https://arxiv.org/abs/1505.04597)

It learns from defects that are drawn at random into training images (`cae/datasets/defects.py`), and sees
none that is real: the idea of DRAEM (Zavrtanik et al. 2021, https://arxiv.org/abs/2108.07610).
"""

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from pydantic import Field

from cae.core.arrays import Images
from cae.datasets.augmentations import Augmentation, Phase, augment
from cae.datasets.defects import draw_defects
from cae.networks import convolutional
from cae.networks.autoencoder import ENCODER, Autoencoder, compose
from cae.networks.convolutional import MOST_FILTERS, convolution
from cae.networks.settings import BatchSize, NetworkSettings
from cae.networks.tasks import Engine, Task


class Settings(NetworkSettings):
    """How wide the network is; for 28 × 28 pixels the code has 4 × 4 × 8 = 128 numbers."""

    # Filters of the convolutions before the first pooling; twice as many after it.
    width: Annotated[int, Field(ge=1, le=MOST_FILTERS // 2)] = 16
    # Filters of the code.
    filters: Annotated[int, Field(ge=1, le=MOST_FILTERS)] = 8
    batch_size: BatchSize = 64


def build(settings: Settings, image_shape: tuple[int, ...], seed: int) -> Autoencoder:
    """Build the untrained network for images (H, W, C), float32 in [0, 1].

    Of the encoder's two outputs the first is the code. Every kernel is drawn from `seed` and its place.

    Raises:
        ValueError: the decoder would not come back to the image's size.
    """
    convolutional.check_shape(image_shape)
    seeds = itertools.count(seed * 100)
    narrow, wide, filters = settings.width, 2 * settings.width, settings.filters
    image = keras.Input(image_shape, name="image")
    large = convolve_twice(image, narrow, narrow, seeds)
    middle = convolve_twice(layers.MaxPooling2D(2)(large), wide, wide, seeds)
    small = convolve_twice(layers.MaxPooling2D(2)(middle), wide, wide, seeds)
    code = layers.MaxPooling2D(2, padding="same")(convolution(filters, next(seeds))(small))
    middle = convolution(narrow, next(seeds))(join(small, middle, wide, seeds))
    large = convolution(narrow, next(seeds))(join(middle, large, narrow, seeds))
    defects = convolution(1, next(seeds), activation="linear")(large)
    sizes = (wide, narrow, filters)
    decoder = convolutional.decoder(sizes, code.shape[1:], image_shape, seeds)
    return compose(keras.Model(image, [code, defects]), decoder)


def convolve_twice(
    images: keras.KerasTensor, first: int, second: int, seeds: Iterator[int]
) -> keras.KerasTensor:
    """Add two convolutions with these numbers of filters."""
    return convolution(second, next(seeds))(convolution(first, next(seeds))(images))


def join(
    small: keras.KerasTensor, large: keras.KerasTensor, filters: int, seeds: Iterator[int]
) -> keras.KerasTensor:
    """Bring feature maps to twice their size, and add those of the encoder, with `filters` each."""
    doubled = convolution(filters, next(seeds), activation="linear")(layers.UpSampling2D(2)(small))
    return layers.Activation("relu")(layers.Add()([doubled, large]))


def get_defect_model(autoencoder: Autoencoder) -> keras.Model | None:
    """Return images (N, H, W, C) → the logit of each pixel (N, H, W, 1); None for another network."""
    models = [
        layer for layer in autoencoder.network.layers if layer.name == ENCODER and len(layer.outputs) == 2
    ]
    height, width, _ = autoencoder.network.input_shape[1:]
    if not models or models[0].outputs[1].shape[1:] != (height, width, 1):
        return None
    return keras.Model(models[0].input, models[0].outputs[1], name="defects")


def task(settings: Settings, autoencoder: Autoencoder, engine: Engine) -> Task:
    """Minimise the cross-entropies of reconstructions with clean images, and of defects with the true ones.

    The loss that is reported is that of the reconstructions, as for every network.
    """
    cross_entropy = engine.arithmetic.cross_entropy
    encode = engine.build_forward(autoencoder.network.get_layer(ENCODER))
    decode = engine.build_logits(autoencoder.decoder)

    def run(images: tf.Tensor) -> list[tf.Tensor]:
        code, defects = encode(images)
        return [decode(code), defects]

    def sum_losses(targets: list[tf.Tensor], outputs: list[tf.Tensor]) -> tf.Tensor:
        return cross_entropy(targets[0], outputs[0]) + cross_entropy(targets[1], outputs[1])

    return Task(
        autoencoder.network,
        run,
        {
            "objective": sum_losses,
            "loss": lambda targets, outputs: cross_entropy(targets[0], outputs[0]),
        },
        partial(draw_examples, settings.augmentations),
        engine.arithmetic,
    )


def draw_examples(
    augmentations: Sequence[Augmentation], images: Images, draws: np.random.Generator, phase: Phase
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Draw defects: inputs are images with them; targets are the images without, and the masks."""
    inputs, clean = augment(images, augmentations, draws, phase)
    changed, masks = draw_defects(inputs, draws)
    return tf.constant(changed), [tf.constant(clean), tf.constant(masks)]
