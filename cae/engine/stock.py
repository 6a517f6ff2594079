"""The functions of `exact` as TensorFlow computes them: they need no C compiler and run on GPUs."""

import tensorflow as tf

exp, log, sqrt = tf.exp, tf.math.log, tf.sqrt


def dense(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return x·kernel: float32 (N, C), (C, D) → (N, D)."""
    return tf.matmul(x, kernel)


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum −t·ln σ(z) − (1 − t)·ln(1 − σ(z)) over each image: float32 (N, …), (N, …) → (N,)."""
    return sum_images(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))


def sigmoid_squared_error(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum (σ(z) − t)² over each image: float32 (N, …), (N, …) → (N,)."""
    return squared_error(targets, tf.sigmoid(logits))


def squared_error(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Sum (y − t)² over each image: float32 (N, …), (N, …) → (N,)."""
    return sum_images(tf.math.squared_difference(outputs, targets))


def sum_images(values: tf.Tensor) -> tf.Tensor:
    """Sum over each image: float32 (N, …) → (N,)."""
    return tf.reduce_sum(values, axis=range(1, len(values.shape)))


def sum_over(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Sum over one axis: float32 (…, D, …) → (…, …)."""
    return tf.reduce_sum(x, axis=axis)


def repeat(x: tf.Tensor, count: int) -> tf.Tensor:
    """Repeat every row: float32 (N, D) → (N·count, D), the copies of a row one after the other."""
    return tf.repeat(x, count, axis=0)
