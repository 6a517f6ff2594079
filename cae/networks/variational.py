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
from functools import partial
from typing import Annotated, Literal, Self

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from pydantic import Field, model_validator

from cae.core.arrays import Images
from cae.datasets.augmentations import Phase, augment
from cae.datasets.noise import draw_normal
from cae.networks.autoencoder import ENCODER, Autoencoder, compose
from cae.networks.residual import dense
from cae.networks.settings import BatchSize, CodeSize, DenseSettings, Rate, WarmUp, Width
from cae.networks.tasks import Engine, Task, log_sum_exp

Shape = tuple[int, ...]


class Settings(DenseSettings):
    """The size of the network, and the bound that it is trained on."""

    code_size: CodeSize = 40
    width: Width = 300
    layers: Literal["gelu", "gated"] = "gated"
    # Drawn of each image in training.
    codes: Annotated[int, Field(ge=1, le=100)] = 5
    # The weight of the divergence of the codes from N(0, 1), and the epochs in which it rises to that.
    beta: Annotated[float, Field(ge=0, le=1000)] = 1.0
    rise: Annotated[int, Field(ge=1, le=1000)] = 20
    batch_size: BatchSize = 512
    learning_rate: Rate = 0.003
    warm_up: WarmUp = 1

    @model_validator(mode="after")
    def check_bound(self) -> Self:
        """Refuse a weight above 1 with several codes, whose bound rewards weights that differ."""
        if self.codes > 1 and self.beta > 1:
            raise ValueError(
                f"beta is {self.beta:g}, but with {self.codes} codes per image a weight above 1 rewards "
                "codes far from N(0, 1): lower beta, or set codes to 1"
            )
        return self


def build(settings: Settings, image_shape: Shape, seed: int) -> Autoencoder:
    """Build the untrained network for images (H, W, C), float32 in [0, 1], with codes (N, code_size).

    Hidden layers are "gelu" or "gated". Every matrix is drawn (Glorot uniform) from `seed` and its place in
    the network alone.
    """
    seeds = itertools.count(seed * 100)
    code_size, width, kind = settings.code_size, settings.width, settings.layers
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
    return compose(keras.Model(image, posterior), keras.Model(code, layers.Activation("sigmoid")(logits)))


def hidden_layer(rows: keras.KerasTensor, width: int, kind: str, seeds: Iterator[int]) -> keras.KerasTensor:
    """Map rows (N, D) to (N, width) by a layer of this kind."""
    if kind == "gelu":
        return dense(width, seeds, activation="gelu")(rows)
    return layers.Multiply()([dense(width, seeds)(rows), dense(width, seeds, activation="sigmoid")(rows)])


def get_posterior(autoencoder: Autoencoder) -> keras.Model:
    """Return images (N, H, W, C) → [mean (N, D), log variance (N, D)] of their codes, sharing its layers."""
    return autoencoder.network.get_layer(ENCODER)


def build_decoder_to_logits(autoencoder: Autoencoder) -> keras.Model:
    """Return codes (N, D) → logits (N, H, W, C): the decoder without its sigmoid, sharing its layers."""
    return keras.Model(autoencoder.decoder.input, autoencoder.decoder.layers[-1].input)


def task(settings: Settings, autoencoder: Autoencoder, engine: Engine) -> Task:
    """Learn the distribution of black and white images, drawn from the grey ones: P(pixel is white) = grey.

    The bound of several codes per image that is maximised is closer than that of one:

        log p(x) ≥ E[log 1/K Σ w_k],   w_k = p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

    With K = 1 it is the evidence lower bound; it rises to log p(x) with K. Burda, Grosse, Salakhutdinov:
    Importance Weighted Autoencoders (2016), https://arxiv.org/abs/1509.00519, section 3. The ratio
    p(z) / q(z|x) has a power, β: with K = 1 it weighs the divergence as in a β-VAE (Higgins et al. 2017). It
    rises in training, so that numbers of a code that do not pay at once are not given up: Sønderby et al.
    (2016), https://arxiv.org/abs/1602.02282, section 2.3. The loss that is reported is the cross-entropy
    to the grey images, as for every network.
    """
    arithmetic = engine.arithmetic
    encode = engine.build_forward(get_posterior(autoencoder))
    decode = engine.build_forward(build_decoder_to_logits(autoencoder))
    codes = settings.codes

    def run(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        """Images (N, H, W, C), ε (N, K·D) → logits (N·K, H, W, C), log p(z) − log q(z|x) (N·K,).

        z = m + e^(s/2)·ε, and the log ratio is ½ Σ (ε² + s − z²).
        """
        images, epsilon = inputs
        mean, log_variance = (arithmetic.repeat(part, codes) for part in encode(images))
        epsilon = tf.reshape(epsilon, mean.shape)
        code = mean + arithmetic.exp(log_variance * 0.5) * epsilon
        ratio = arithmetic.sum_over(epsilon * epsilon + log_variance - code * code, 1) * 0.5
        return [decode(code), ratio]

    def negative_bound(targets: list[tf.Tensor], outputs: list[tf.Tensor]) -> tf.Tensor:
        drawn, _, weights = targets
        logits, ratio = outputs
        fit = -arithmetic.cross_entropy(tf.repeat(drawn, codes, axis=0), logits)
        rows = tf.reshape(fit + tf.repeat(weights, codes) * ratio, (-1, codes))
        return arithmetic.log(tf.constant(float(codes))) - log_sum_exp(arithmetic, rows)

    def grey_loss(targets: list[tf.Tensor], outputs: list[tf.Tensor]) -> tf.Tensor:
        losses = arithmetic.cross_entropy(tf.repeat(targets[1], codes, axis=0), outputs[0])
        return arithmetic.sum_over(tf.reshape(losses, (-1, codes)), 1) / codes

    numbers = codes * autoencoder.code_size
    return Task(
        autoencoder.network,
        run,
        {"objective": negative_bound, "loss": grey_loss},
        partial(draw_black_and_white, settings, numbers),
        arithmetic,
    )


def draw_black_and_white(
    settings: Settings, numbers: int, images: Images, draws: np.random.Generator, phase: Phase
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Draw every pixel black or white, and so many standard normal numbers for each image's codes.

    Inputs: the drawn images, with noise on them, and the numbers. Targets: the drawn images, the grey ones,
    and what the divergence weighs for each.
    """
    geometric = [one for one in settings.augmentations if one.kind in ("mirror", "shift")]
    noises = [one for one in settings.augmentations if one not in geometric]
    _, grey = augment(images, geometric, draws, phase)
    drawn = (draws.random(grey.shape, np.float32) < grey).astype(np.float32)
    seen, _ = augment(drawn, noises, draws, phase)
    risen = min(1.0, (phase.epoch + 1) / settings.rise) if phase.training else 1.0
    weights = np.full(grey.shape[:-3], settings.beta * risen, np.float32)
    inputs = [tf.constant(seen), tf.constant(draw_normal((*grey.shape[:-3], numbers), draws))]
    return inputs, [tf.constant(drawn), tf.constant(grey), tf.constant(weights)]
