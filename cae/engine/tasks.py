"""What a network is trained to do: what it is given, what it should answer, and what a wrong answer costs."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from cae.core.arrays import Images
from cae.core.params import Augmentation, Variational
from cae.datasets.augmentations import Phase, augment
from cae.datasets.noise import draw_normal
from cae.engine import exact, forward, stock
from cae.networks import variational
from cae.networks.autoencoder import Autoencoder

Tensors = Any
"""A tensor, or lists of them as a network has inputs and outputs; the first axis is that of the images."""
Loss = Callable[[Tensors, Tensors], tf.Tensor]
"""(targets, outputs) → the sum of the loss over the values of each image, (N,)."""


class Task(NamedTuple):
    """A network in training."""

    network: keras.Model
    # What the losses compare with the targets, from what the network is given: differentiable.
    forward: Callable[[Tensors], Tensors]
    # By their names in the history: the first is trained on, all are told.
    losses: Mapping[str, Loss]
    # Clean images (..., H, W, C), a generator and the moment → inputs and targets.
    examples: Callable[[Images, np.random.Generator, Phase], tuple[Tensors, Tensors]]
    # `exact` or `stock`
    arithmetic: ModuleType


def choose_arithmetic(engine: str) -> ModuleType:
    """Return what computes for an engine of params.yaml; on a GPU always TensorFlow, since C cannot."""
    return exact if engine == "fast" and not tf.config.list_physical_devices("GPU") else stock


def reconstruction(
    network: keras.Model,
    objective: str = "cross_entropy",
    augmentations: Sequence[Augmentation] = (),
    engine: str = "fast",
) -> Task:
    """Answer images with themselves, noisy ones with clean ones.

    Args:
        network: images (N, H, W, C) → images, through a sigmoid.
        objective: "cross_entropy" or "squared_error": what is trained on. Cross-entropy is always told.
        augmentations: of what the network is given.
        engine: "fast" or "stock".

    Raises:
        ValueError: the network does not end in a sigmoid.
    """
    arithmetic = choose_arithmetic(engine)
    run, gives_logits = forward.build(network, fast=arithmetic is exact)
    if not gives_logits:
        raise ValueError("The loss is computed from logits: the network must end in a sigmoid.")
    losses: dict[str, Loss] = {"loss": arithmetic.cross_entropy}
    if objective == "squared_error":
        losses = {"objective": arithmetic.sigmoid_squared_error, **losses}
    return Task(network, run, losses, partial(draw_examples, augmentations), arithmetic)


def draw_examples(
    augmentations: Sequence[Augmentation], images: Images, draws: np.random.Generator, phase: Phase
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw what a network is given, and what it should answer."""
    inputs, targets = augment(images, augmentations, draws, phase)
    clean = tf.constant(targets)
    # Without noise both are one tensor: nothing is copied.
    return (clean if inputs is targets else tf.constant(inputs)), clean


def generation(
    autoencoder: Autoencoder,
    options: Variational,
    engine: str = "fast",
) -> Task:
    """Learn the distribution of black and white images, drawn from the grey ones: P(pixel is white) = grey.

    What is trained on is a bound of several codes an image, which is closer than that of one:

        log p(x) ≥ E[log 1/K Σ w_k],   w_k = p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

    With K = 1 it is the evidence lower bound; it rises to log p(x) with K. Burda, Grosse, Salakhutdinov:
    Importance Weighted Autoencoders (2016), https://arxiv.org/abs/1509.00519, section 3. The ratio
    p(z) / q(z|x) has a power, β: with K = 1 it weighs the divergence as in a β-VAE (Higgins et al. 2017). It
    rises in training, so that numbers of a code that do not pay at once are not given up: Sønderby et al.
    (2016), https://arxiv.org/abs/1602.02282, section 2.3. The loss that is told is the cross-entropy to the
    grey images, as every network's is.
    """
    arithmetic = choose_arithmetic(engine)
    fast = arithmetic is exact
    posterior = forward.build(variational.posterior(autoencoder), fast).run
    decode = forward.build(variational.painter(autoencoder), fast).run
    codes = options.codes

    def run(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        """Images (N, H, W, C), ε (N, K·D) → logits (N·K, H, W, C), log p(z) − log q(z|x) (N·K,).

        z = m + e^(s/2)·ε, and the log ratio is ½ Σ (ε² + s − z²).
        """
        images, draws = inputs
        mean, log_variance = (arithmetic.repeat(part, codes) for part in posterior(images))
        noise = tf.reshape(draws, mean.shape)
        code = mean + arithmetic.exp(log_variance * 0.5) * noise
        ratio = arithmetic.sum_over(noise * noise + log_variance - code * code, 1) * 0.5
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
        partial(draw_black_and_white, options, numbers),
        arithmetic,
    )


def log_sum_exp(arithmetic: ModuleType, rows: tf.Tensor) -> tf.Tensor:
    """Return ln Σ eˣ of each row, (N, K) → (N,)."""
    most = tf.stop_gradient(tf.reduce_max(rows, axis=1))
    return most + arithmetic.log(arithmetic.sum_over(arithmetic.exp(rows - most[:, tf.newaxis]), 1))


def draw_black_and_white(
    options: Variational, numbers: int, images: Images, draws: np.random.Generator, phase: Phase
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Draw every pixel black or white, and so many standard normal numbers for each image's codes.

    Inputs: the drawn images, with noise on them, and the numbers. Targets: the drawn images, the grey ones,
    and what the divergence weighs for each.
    """
    geometric = [one for one in options.augmentations if one.kind in ("mirror", "shift")]
    noises = [one for one in options.augmentations if one not in geometric]
    _, grey = augment(images, geometric, draws, phase)
    drawn = (draws.random(grey.shape, np.float32) < grey).astype(np.float32)
    seen, _ = augment(drawn, noises, draws, phase)
    risen = min(1.0, (phase.epoch + 1) / options.rise) if phase.training else 1.0
    weights = np.full(grey.shape[:-3], options.beta * risen, np.float32)
    inputs = [tf.constant(seen), tf.constant(draw_normal((*grey.shape[:-3], numbers), draws))]
    return inputs, [tf.constant(drawn), tf.constant(grey), tf.constant(weights)]
