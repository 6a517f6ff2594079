"""A network without a bottleneck that is trained on the noise, not on the image: the idea of DnCNN.

Zhang et al. 2017, https://arxiv.org/abs/1608.03981: the network predicts the noise of an image, which is then
subtracted. As in FFDNet (Zhang et al. 2018, https://arxiv.org/abs/1710.04026), each 2 × 2 pixels become four
channels of one: there are a quarter of the positions, and every convolution covers twice the distance. ReLU
follows every convolution but the last.
"""

from collections.abc import Sequence
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from pydantic import Field

from cae.core.arrays import Images
from cae.datasets.augmentations import Augmentation, Phase, augment
from cae.networks.autoencoder import predict
from cae.networks.settings import Recipe, Width
from cae.networks.tasks import Engine, Task

Shape = tuple[int, ...]


class Settings(Recipe):
    """The size of the network, and how it is trained."""

    # Filters of every convolution but the last.
    width: Width
    # Convolutions.
    depth: Annotated[int, Field(ge=2, le=100)]


def build(settings: Settings, image_shape: Shape, seed: int) -> keras.Sequential:
    """Build the untrained network, noisy images (N, H, W, 1) → their noise; H and W must be even.

    Every kernel, 3 × 3, is drawn (He uniform) from `seed` and its place in the network alone.
    """
    depth = settings.depth
    counts = [settings.width] * (depth - 1) + [4]
    convolutions = [
        build_convolution(filters, "relu" if place < depth - 1 else "linear", seed * 100 + place)
        for place, filters in enumerate(counts)
    ]
    chain = [*space_to_depth(image_shape), *convolutions, *depth_to_space(image_shape)]
    for place, layer in enumerate(chain):
        # Keras's own names count all layers that the process has built.
        layer.name = f"{place}_{type(layer).__name__.lower()}"
    return keras.Sequential([keras.Input(image_shape, name="image"), *chain], name="residual_cnn")


def build_convolution(filters: int, activation: str, seed: int) -> layers.Conv2D:
    """Build a convolution with kernels of 3 × 3, drawn from `seed`."""
    initializer = keras.initializers.HeUniform(seed=seed)
    return layers.Conv2D(filters, 3, padding="same", activation=activation, kernel_initializer=initializer)


def space_to_depth(image_shape: Shape) -> list[keras.Layer]:
    """Build layers (N, H, W, 1) → (N, H/2, W/2, 4): each 2 × 2 pixels become the channels of one."""
    rows, columns = (side // 2 for side in image_shape[:2])
    return [
        layers.Reshape((rows, 2, columns, 2)),
        layers.Permute((1, 3, 2, 4)),
        layers.Reshape((rows, columns, 4)),
    ]


def depth_to_space(image_shape: Shape) -> list[keras.Layer]:
    """Build layers (N, H/2, W/2, 4) → (N, H, W, 1), the inverse of `space_to_depth`."""
    rows, columns = (side // 2 for side in image_shape[:2])
    return [
        layers.Reshape((rows, columns, 2, 2)),
        layers.Permute((1, 3, 2, 4)),
        layers.Reshape(image_shape),
    ]


def task(network: keras.Sequential, augmentations: Sequence[Augmentation], engine: Engine) -> Task:
    """Minimise the squared error between the noise of images and what the network predicts."""

    def draw_examples(
        images: Images, draws: np.random.Generator, phase: Phase
    ) -> tuple[tf.Tensor, tf.Tensor]:
        noisy, clean = augment(images, augmentations, draws, phase)
        return tf.constant(noisy), tf.constant(noisy - clean)

    losses = {"loss": engine.arithmetic.squared_error}
    return Task(network, engine.build_forward(network), losses, draw_examples, engine.arithmetic)


def denoise(network: keras.Model, noisy: Images) -> Images:
    """Subtract from noisy images (N, H, W, 1) the noise that the network predicts; clip to [0, 1]."""
    return np.clip(noisy - predict(network, noisy), 0, 1)
