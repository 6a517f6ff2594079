"""The strong network: the linear paths that PCA has, and beside each what one hidden layer adds.

    code   z = A x + B gelu(C x)          A, B: to the code; C: to the hidden layer
    image  y = σ(D z + E gelu(F z))       σ: the logistic function, which keeps every pixel in [0, 1]

x are the pixels in one row, and every product but A and D has a bias. Without the hidden layers this is a
linear autoencoder, whose best is PCA up to σ; the hidden layers learn what is left over, as in residual
networks (He et al. 2016, https://arxiv.org/abs/1512.03385). All work is in large matrix products, at which a
CPU is fast.
"""

import itertools
import math
from collections.abc import Iterator

import keras
from keras import layers

from cae.datasets.augmentations import Mirror, Shift
from cae.networks import tasks
from cae.networks.autoencoder import Autoencoder, compose
from cae.networks.settings import Augmentations, CodeSize, DenseSettings, WarmUp, Width
from cae.networks.tasks import Engine, Task

Shape = tuple[int, ...]


class Settings(DenseSettings):
    """How many numbers a code has, and how wide the hidden layer on either side is."""

    code_size: CodeSize = 128
    width: Width = 2048
    warm_up: WarmUp = 1
    augmentations: Augmentations = (Mirror(kind="mirror"), Shift(kind="shift", pixels=1))


def task(settings: Settings, autoencoder: Autoencoder, engine: Engine) -> Task:
    """Minimise the squared error between images and reconstructions."""
    return tasks.reconstruct(autoencoder.network, engine, "squared_error", settings.augmentations)


def build(settings: Settings, image_shape: Shape, seed: int) -> Autoencoder:
    """Build the untrained network for images (H, W, C), float32 in [0, 1], with codes (N, code_size).

    Every matrix is drawn (Glorot uniform) from `seed` and its place in the network alone.
    """
    seeds = itertools.count(seed * 100)
    code_size, width, pixels = settings.code_size, settings.width, math.prod(image_shape)
    image, code = keras.Input(image_shape, name="image"), keras.Input((code_size,), name="code")
    row = layers.Reshape((pixels,))(image)
    logits = layers.Reshape(image_shape)(two_paths(code, pixels, width, seeds))
    return compose(
        keras.Model(image, two_paths(row, code_size, width, seeds)),
        keras.Model(code, layers.Activation("sigmoid")(logits)),
    )


def two_paths(rows: keras.KerasTensor, size: int, width: int, seeds: Iterator[int]) -> keras.KerasTensor:
    """Map rows (N, D) to (N, size) straight, and add what a hidden layer makes of them."""
    straight = dense(size, seeds, use_bias=False)(rows)
    hidden = dense(width, seeds, activation="gelu")(rows)
    return layers.Add()([straight, dense(size, seeds)(hidden)])


def dense(
    size: int, seeds: Iterator[int], activation: str | None = None, use_bias: bool = True
) -> layers.Dense:
    """Build a dense layer whose matrix is drawn from the next seed."""
    initializer = keras.initializers.GlorotUniform(seed=next(seeds))
    return layers.Dense(size, activation, use_bias, kernel_initializer=initializer)
