"""The study's network: as the published one of its kind, two gated layers on either side.

    layer      h = (A x) ⊙ σ(B x)
    posterior  mean m = C h, log variance s = D h of two layers on the picture: q(z|x) = N(m, eˢ)
    image      y = σ(E h) of two layers on the code: the probability that each pixel is white

Every product has a bias, and σ is the logistic function. Dauphin et al.: Language Modeling with Gated
Convolutional Networks (2017), https://arxiv.org/abs/1612.08083.
"""

import itertools
import math
from collections.abc import Iterator

import keras
from keras import layers

from cae.networks import autoencoder
from cae.networks.autoencoder import Autoencoder
from cae.networks.residual import dense

Shape = tuple[int, ...]


def build(code_size: int, width: int, image_shape: Shape, seed: int) -> Autoencoder:
    """Build the untrained network as `cae.networks.variational` does, with gated layers.

    It is for images (H, W, C), float32 in [0, 1], and has codes (N, code_size).
    Every matrix is drawn (Glorot uniform) from `seed` and its place in the network alone.
    """
    seeds = itertools.count(seed * 100)
    pixels = math.prod(image_shape)
    image, code = keras.Input(image_shape, name="image"), keras.Input((code_size,), name="code")
    seen = two_gated(layers.Reshape((pixels,))(image), width, seeds)
    posterior = [dense(code_size, seeds)(seen) for _ in ("mean", "log variance")]
    logits = layers.Reshape(image_shape)(dense(pixels, seeds)(two_gated(code, width, seeds)))
    return autoencoder.composed(
        keras.Model(image, posterior), keras.Model(code, layers.Activation("sigmoid")(logits))
    )


def two_gated(rows: keras.KerasTensor, width: int, seeds: Iterator[int]) -> keras.KerasTensor:
    """Map rows (N, D) to (N, width) by two layers, each of whose numbers has a gate from 0 to 1."""
    for _ in range(2):
        linear, gate = dense(width, seeds)(rows), dense(width, seeds, activation="sigmoid")(rows)
        rows = layers.Multiply()([linear, gate])
    return rows
