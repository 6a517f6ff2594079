"""A network without a bottleneck that learns the noise, not the image: the idea of DnCNN.

Zhang et al. 2017, https://arxiv.org/abs/1608.03981: the network is trained to answer noisy images with what
was added to them, and its answer is subtracted. As in FFDNet (Zhang et al. 2018,
https://arxiv.org/abs/1710.04026), each 2 × 2 pixels become four channels of one: a quarter of the places to
work on, and every convolution sees twice as far. ReLU follows every convolution but the last.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from cae.core.arrays import Images
from cae.datasets.augmentations import Augmentation, Phase, augment
from cae.engine import exact, forward
from cae.networks.autoencoder import predict
from cae.networks.tasks import Task

Shape = tuple[int, ...]


def build(width: int, depth: int, image_shape: Shape, seed: int) -> keras.Sequential:
    """Build the untrained network, noisy images (N, H, W, 1) → their noise, H and W even.

    It has `depth` convolutions of 3 × 3, all of `width` filters but the last. Every kernel is drawn (He
    uniform) from `seed` and its place in the network alone.
    """
    counts = [width] * (depth - 1) + [4]
    convolutions = [
        convolution(filters, "relu" if place < depth - 1 else "linear", seed * 100 + place)
        for place, filters in enumerate(counts)
    ]
    chain = [*gathered(image_shape), *convolutions, *spread(image_shape)]
    for place, layer in enumerate(chain):
        # Keras's own names count all layers that the process has built.
        layer.name = f"{place}_{type(layer).__name__.lower()}"
    return keras.Sequential([keras.Input(image_shape, name="image"), *chain], name="residual_cnn")


def convolution(filters: int, activation: str, seed: int) -> layers.Conv2D:
    """Build a convolution with kernels of 3 × 3, drawn from `seed`."""
    initializer = keras.initializers.HeUniform(seed=seed)
    return layers.Conv2D(filters, 3, padding="same", activation=activation, kernel_initializer=initializer)


def gathered(image_shape: Shape) -> list[keras.Layer]:
    """Return layers (N, H, W, 1) → (N, H/2, W/2, 4): each 2 × 2 pixels become the channels of one."""
    rows, columns = (side // 2 for side in image_shape[:2])
    return [
        layers.Reshape((rows, 2, columns, 2)),
        layers.Permute((1, 3, 2, 4)),
        layers.Reshape((rows, columns, 4)),
    ]


def spread(image_shape: Shape) -> list[keras.Layer]:
    """Return layers (N, H/2, W/2, 4) → (N, H, W, 1), the way back."""
    rows, columns = (side // 2 for side in image_shape[:2])
    return [
        layers.Reshape((rows, columns, 2, 2)),
        layers.Permute((1, 3, 2, 4)),
        layers.Reshape(image_shape),
    ]


def task(network: keras.Sequential, augmentations: Sequence[Augmentation], engine: str) -> Task:
    """Answer noisy images with their noise, least squares."""
    arithmetic = choose_engine(engine)

    def examples(images: Images, draws: np.random.Generator, phase: Phase) -> tuple[tf.Tensor, tf.Tensor]:
        noisy, clean = augment(images, augmentations, draws, phase)
        return tf.constant(noisy), tf.constant(noisy - clean)

    run = forward.build(network, fast=arithmetic is exact).run
    return Task(network, run, {"loss": arithmetic.squared_error}, examples, arithmetic)


def denoised(network: keras.Model, noisy: Images) -> Images:
    """Subtract from noisy images (N, H, W, 1) the noise that the network finds; clip to [0, 1]."""
    return np.clip(noisy - predict(network, noisy), 0, 1)
