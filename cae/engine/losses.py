"""How wrong a network's answers are, as sums: shards and workers add them up."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Tensors = Any
"""A tensor, or lists of them as a model has inputs and outputs; the first axis is that of the images."""
Loss = Callable[[Tensors, Tensors], tf.Tensor]
"""(targets, outputs of the twin) → the sum of the loss over every value of every image."""


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum the binary cross-entropy −t·ln σ(z) − (1 − t)·ln(1 − σ(z)) over all pixels."""
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))


def squared_error(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum the squared error (σ(z) − t)² over all pixels."""
    return tf.reduce_sum(tf.math.squared_difference(tf.sigmoid(logits), targets))


# Both are computed from the logits z that the twin of a network with a sigmoid gives.
OF_LOGITS = (cross_entropy, squared_error)
