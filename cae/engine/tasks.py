"""What a network is trained to do: what it sees, what it should answer, and how wrong an answer is."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from cae.engine.losses import Loss, Tensors, cross_entropy
from cae.ground import noise
from cae.ground.arrays import Images
from cae.ground.noise import CLEAN
from cae.ground.params import Noise


class Task(NamedTuple):
    """A network in training."""

    network: keras.Model
    # By their names in the history: the first is trained on, all are told.
    losses: Mapping[str, Loss]
    # Clean images (..., H, W, C) and a generator → what the network sees, and its targets.
    examples: Callable[[Images, np.random.Generator], tuple[Tensors, Tensors]]


def reconstruction(network: keras.Model, objective: Loss = cross_entropy, seen: Noise = CLEAN) -> Task:
    """Answer noisy images with the clean ones; `network` ends in a sigmoid."""
    losses: Mapping[str, Loss] = {"loss": cross_entropy}
    if objective is not cross_entropy:
        losses = {"objective": objective, **losses}
    return Task(network, losses, partial(noisy_and_clean, seen))


def noisy_and_clean(seen: Noise, images: Images, draws: np.random.Generator) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw noise onto images; the targets are the images themselves."""
    targets = tf.constant(images)
    # Without noise both are one tensor: nothing is copied.
    return (targets if seen == CLEAN else tf.constant(noise.added(images, seen, draws))), targets


def generation(network: keras.Model, beta: float, seen: Noise = CLEAN) -> Task:
    """Learn the distribution of black and white images, drawn from the grey ones: P(pixel is white) = grey.

    `network` is what `variational.sampled` gives. The loss that is told is its cross-entropy to the grey
    images, as every network's is.
    """
    losses: Mapping[str, Loss] = {
        "objective": partial(negative_evidence, beta),
        "loss": lambda targets, outputs: cross_entropy(targets[1], outputs[0]),
    }
    return Task(network, losses, partial(black_and_white, seen, network.inputs[1].shape[-1]))


def black_and_white(
    seen: Noise, code_size: int, images: Images, draws: np.random.Generator
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Draw every pixel black or white, and a standard normal number for each of the code.

    Inputs: the drawn images, with noise on them, and the numbers. Targets: the drawn images, and the grey.
    """
    drawn = (draws.random(images.shape, np.float32) < images).astype(np.float32)
    numbers = draws.standard_normal((*images.shape[:-3], code_size), np.float32)
    inputs = [tf.constant(noise.added(drawn, seen, draws)), tf.constant(numbers)]
    return inputs, [tf.constant(drawn), tf.constant(images)]


def negative_evidence(beta: float, targets: list[tf.Tensor], outputs: list[tf.Tensor]) -> tf.Tensor:
    """Sum −ln p(x|z) + β·KL(q(z|x) ‖ p(z)) over images x: with β = 1 the negative evidence lower bound.

    q(z|x) = N(m, eˢ) and p(z) = N(0, 1): KL = ½ Σ (m² + eˢ − s − 1). Kingma, Welling (2014),
    https://arxiv.org/abs/1312.6114; β: Higgins et al. (2017).
    """
    logits, mean, log_variance = outputs
    divergence = tf.reduce_sum(tf.square(mean) + tf.exp(log_variance) - log_variance - 1) / 2
    return cross_entropy(targets[0], logits) + beta * divergence
