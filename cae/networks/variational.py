"""The variational network: a code is a distribution, and codes drawn from N(0, 1) decode to new images.

    posterior  h = gelu(B gelu(A x))      mean m = C h, log variance s = D h:  q(z|x) = N(m, eˢ)
    image      y = σ(G gelu(F gelu(E z))) the probability that each pixel is white

x are the pixels in one row; every product has a bias. It learns from codes drawn from q; an image's code, for
everything that wants one, is the mean. Kingma, Welling: Auto-Encoding Variational Bayes (2014),
https://arxiv.org/abs/1312.6114.
"""

import itertools
import math

import keras
from keras import layers

from cae.networks import autoencoder
from cae.networks.autoencoder import ENCODER, Autoencoder
from cae.networks.residual import dense

Shape = tuple[int, ...]


def build(code_size: int, width: int, image_shape: Shape, seed: int) -> Autoencoder:
    """Build the untrained network for images (H, W, C), float32 in [0, 1], with codes (N, code_size).

    Every matrix is drawn (Glorot uniform) from `seed` and its place in the network alone.
    """
    seeds = itertools.count(seed * 100)
    pixels = math.prod(image_shape)
    image, code = keras.Input(image_shape, name="image"), keras.Input((code_size,), name="code")
    hidden = layers.Reshape((pixels,))(image)
    for _ in range(2):
        hidden = dense(width, seeds, activation="gelu")(hidden)
    posterior = [dense(code_size, seeds)(hidden) for _ in ("mean", "log variance")]
    painted = code
    for _ in range(2):
        painted = dense(width, seeds, activation="gelu")(painted)
    logits = layers.Reshape(image_shape)(dense(pixels, seeds)(painted))
    return autoencoder.composed(
        keras.Model(image, posterior), keras.Model(code, layers.Activation("sigmoid")(logits))
    )


def posterior(network: Autoencoder) -> keras.Model:
    """Return images (N, H, W, C) → [mean (N, D), log variance (N, D)] of their codes, sharing its layers."""
    return network.network.get_layer(ENCODER)


def painter(network: Autoencoder) -> keras.Model:
    """Return codes (N, D) → logits (N, H, W, C): the decoder without its sigmoid, sharing its layers."""
    return keras.Model(network.decoder.input, network.decoder.layers[-1].input)


def sampled(network: Autoencoder) -> keras.Model:
    """Return what training runs: [images, ε (N, D)] → [logits, mean, log variance], z = m + e^(s/2)·ε."""
    encoder = posterior(network)
    image, draw = keras.Input(encoder.input_shape[1:]), keras.Input(network.code_shape)
    mean, log_variance = encoder(image)
    code = mean + keras.ops.exp(log_variance / 2) * draw
    return keras.Model([image, draw], [painter(network)(code), mean, log_variance])
