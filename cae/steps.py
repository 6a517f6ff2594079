"""One optimisation step whose bits depend neither on cores nor on threads.

A batch is cut into a fixed number of shards. Each shard is computed by single-threaded operations, the
shards run side by side, and their gradients are summed as a fixed binary tree: ((s0 + s1) + (s2 + s3)).
Workers that each hold one half of the shards and add their two sums get the same bits as one process.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from cae.kernels import Twin

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum the binary cross-entropy −t·log σ(z) − (1 − t)·log(1 − σ(z)) of every pixel."""
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))


def shard_gradients(
    forward: Callable[[tf.Tensor], tf.Tensor],
    loss: Loss,
    variables: Sequence[tf.Variable],
    images: tf.Tensor,
    targets: tf.Tensor,
    shards: int,
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    parts = zip(_cut(images, shards), _cut(targets, shards), strict=True)
    results = []
    for image_part, target_part in parts:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            value = loss(target_part, forward(image_part))
        results.append([value, *tape.gradient(value, variables)])
    value, *gradients = tree_sum(results)
    return value, gradients


def tree_sum(parts: list[list[tf.Tensor]]) -> list[tf.Tensor]:
    while len(parts) > 1:
        pairs = [[a + b for a, b in zip(*pair, strict=True)] for pair in zip(parts[::2], parts[1::2])]
        parts = pairs + parts[2 * len(pairs) :]
    return parts[0]


def _cut(batch: tf.Tensor, shards: int) -> list[tf.Tensor]:
    count = batch.shape[0]
    bounds = [count * i // shards for i in range(shards + 1)]
    return [batch[a:b] for a, b in zip(bounds, bounds[1:]) if b > a]
