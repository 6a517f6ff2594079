"""What a network is trained on: its inputs, its targets, and the loss between targets and outputs."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from cae.core.arrays import Images
from cae.datasets.augmentations import Augmentation, Phase, augment

Tensors = Any
"""A tensor, or lists of them as a network has inputs and outputs; the first axis counts images."""
Loss = Callable[[Tensors, Tensors], tf.Tensor]
"""(targets, outputs) → the loss of each image, summed over its values, (N,)."""


class Engine(NamedTuple):
    """How training computes: `cae.engine.engine.choose_engine` returns one."""

    # exp, log, sums and losses: `cae.engine.exact` or `cae.engine.stock`.
    arithmetic: ModuleType
    # A network → a function from its inputs to its outputs, without a final sigmoid; ValueError without one.
    build_logits: Callable[[keras.Model], Callable[[Tensors], Tensors]]
    # A network → a function from its inputs to its outputs.
    build_forward: Callable[[keras.Model], Callable[[Tensors], Tensors]]


class Task(NamedTuple):
    """A network and what it is trained on."""

    network: keras.Model
    # Inputs → what the losses compare with the targets; differentiable.
    forward: Callable[[Tensors], Tensors]
    # By their names in the history. The first is minimised, and its validation value chooses the best epoch;
    # the last is "loss", the cross-entropy, by which networks are compared.
    losses: Mapping[str, Loss]
    # Clean images (..., H, W, C), a generator and the moment → inputs and targets.
    draw_examples: Callable[[Images, np.random.Generator, Phase], tuple[Tensors, Tensors]]
    arithmetic: ModuleType
    # Called before training with the training images (N, H, W, C) and the seed, if the targets need it.
    fit_targets: Callable[[Images, int], None] | None = None


def reconstruct(
    network: keras.Model, engine: Engine, objective: str, augmentations: Sequence[Augmentation] = ()
) -> Task:
    """Train a network to reconstruct its input, or the clean image where the input is noisy.

    Args:
        network: images (N, H, W, C) → images, through a sigmoid.
        engine: how it computes.
        objective: "cross_entropy" or "squared_error": what is minimised. Cross-entropy is always reported.
        augmentations: of the images.

    Raises:
        ValueError: the network does not end in a sigmoid.
    """
    losses: dict[str, Loss] = {"loss": engine.arithmetic.cross_entropy}
    if objective == "squared_error":
        losses = {"objective": engine.arithmetic.sigmoid_squared_error, **losses}
    forward = engine.build_logits(network)
    return Task(network, forward, losses, partial(draw_examples, augmentations), engine.arithmetic)


def draw_examples(
    augmentations: Sequence[Augmentation], images: Images, draws: np.random.Generator, phase: Phase
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw inputs and targets from clean images."""
    inputs, targets = augment(images, augmentations, draws, phase)
    clean = tf.constant(targets)
    # Without noise both are one tensor: nothing is copied.
    return (clean if inputs is targets else tf.constant(inputs)), clean


def log_sum_exp(arithmetic: ModuleType, rows: tf.Tensor) -> tf.Tensor:
    """Return ln Σ eˣ of each row, (N, K) → (N,)."""
    most = tf.stop_gradient(tf.reduce_max(rows, axis=1))
    return most + arithmetic.log(arithmetic.sum_over(arithmetic.exp(rows - most[:, tf.newaxis]), 1))


def softmax_cross_entropy(arithmetic: ModuleType, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return ln Σ eᶻ − t·z, the cross-entropy of one-hot targets, (N, K) twice → (N,)."""
    return log_sum_exp(arithmetic, logits) - arithmetic.sum_over(targets * logits, 1)
