"""The variational network: a code is a distribution, and codes drawn from N(0, 1) decode to new images.

    posterior  two hidden layers on the pixels: mean m = C h, log variance s = D h:  q(z|x) = N(m, eˢ)
    image      two hidden layers on the code:   y = σ(E h), the probability that each pixel is white
    layer      h = gelu(A x), or gated: h = (A x) ⊙ σ(B x)

x are the pixels in one row; every product has a bias, σ is the logistic function. It learns from codes drawn
from q; an image's code, for everything that wants one, is the mean. Kingma, Welling: Auto-Encoding
Variational Bayes (2014), https://arxiv.org/abs/1312.6114; gates: Dauphin et al.: Language Modeling with Gated
Convolutional Networks (2017), https://arxiv.org/abs/1612.08083.
"""

import itertools
import math
from collections.abc import Iterator

import keras
from keras import layers

from cae.networks import autoencoder
from cae.networks.autoencoder import ENCODER, Autoencoder
from cae.networks.residual import dense

Shape = tuple[int, ...]


def build(code_size: int, width: int, kind: str, image_shape: Shape, seed: int) -> Autoencoder:
    """Build the untrained network for images (H, W, C), float32 in [0, 1], with codes (N, code_size).

    Hidden layers are "gelu" or "gated". Every matrix is drawn (Glorot uniform) from `seed` and its place in
    the network alone.
    """
    seeds = itertools.count(seed * 100)
    pixels = math.prod(image_shape)
    image, code = keras.Input(image_shape, name="image"), keras.Input((code_size,), name="code")
    hidden = layers.Reshape((pixels,))(image)
    for _ in range(2):
        hidden = hidden_layer(hidden, width, kind, seeds)
    posterior = [dense(code_size, seeds)(hidden) for _ in ("mean", "log variance")]
    hidden = code
    for _ in range(2):
        hidden = hidden_layer(hidden, width, kind, seeds)
    logits = layers.Reshape(image_shape)(dense(pixels, seeds)(hidden))
    return autoencoder.composed(
        keras.Model(image, posterior), keras.Model(code, layers.Activation("sigmoid")(logits))
    )


def hidden_layer(rows: keras.KerasTensor, width: int, kind: str, seeds: Iterator[int]) -> keras.KerasTensor:
    """Map rows (N, D) to (N, width) by a layer of this kind."""
    if kind == "gelu":
        return dense(width, seeds, activation="gelu")(rows)
    return layers.Multiply()([dense(width, seeds)(rows), dense(width, seeds, activation="sigmoid")(rows)])


def posterior(network: Autoencoder) -> keras.Model:
    """Return images (N, H, W, C) → [mean (N, D), log variance (N, D)] of their codes, sharing its layers."""
    return network.network.get_layer(ENCODER)


def painter(network: Autoencoder) -> keras.Model:
    """Return codes (N, D) → logits (N, H, W, C): the decoder without its sigmoid, sharing its layers."""
    return keras.Model(network.decoder.input, network.decoder.layers[-1].input)
