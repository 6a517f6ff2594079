"""How alike the projections of two views of each image are, beside those of the other images of a shard.

The engine computes each shard of a batch on its own, so an image is compared with those of its shard alone.
"""

from types import ModuleType

import tensorflow as tf

from cae.networks.tasks import log_sum_exp

# Keeps the derivative of a square root finite.
SMALLEST_SQUARE = 1e-4
# VICReg's weights of the distance between views and of the deviation; that of the covariance is 1.
VICREG_WEIGHT = 25.0
# Added to the similarity of a row to itself, which must not count.
SELF_SIMILARITY = -1e9


def contrast(arithmetic: ModuleType, first: tf.Tensor, second: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return the contrastive loss NT-Xent of each image: projections (N, D) of two views → (N,).

        −ln e^(s(x, x')/T) / Σ e^(s(x, y)/T),  y: all 2N views but x;  s: the cosine of two projections

    averaged over both views x of the image. Chen et al.: SimCLR (2020), https://arxiv.org/abs/2002.05709,
    equation 1.
    """
    count = first.shape[0]
    rows = normalise(arithmetic, tf.concat([first, second], axis=0))
    similarities = arithmetic.dense(rows, tf.transpose(rows)) / temperature
    partners = arithmetic.sum_over(rows[:count] * rows[count:], 1) / temperature
    all_views = log_sum_exp(arithmetic, similarities + SELF_SIMILARITY * tf.eye(2 * count))
    return (all_views[:count] + all_views[count:]) / 2 - partners


def normalise(arithmetic: ModuleType, rows: tf.Tensor) -> tf.Tensor:
    """Divide every row (N, D) by its length."""
    lengths = arithmetic.sqrt(arithmetic.sum_over(rows * rows, 1) + SMALLEST_SQUARE)
    # A division that broadcasts would sum its gradient in an order of TensorFlow's.
    return rows / tf.reshape(arithmetic.repeat(lengths[:, tf.newaxis], rows.shape[1]), rows.shape)


def compare_statistics(arithmetic: ModuleType, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Return the loss of VICReg of each image: projections (N, D) of two views → (N,).

        25·|p − p'|²/D + S(p) + S(p'),   S(p) = [25·Σ_d max(0, 1 − √Var p_d) + Σ_{d≠e} Cov(p_d, p_e)²]/D

    Bardes et al.: VICReg (2022), https://arxiv.org/abs/2105.04906, equations 1 to 6.
    """
    difference = first - second
    distances = arithmetic.sum_over(difference * difference, 1) / first.shape[1]
    penalty = penalise(arithmetic, first) + penalise(arithmetic, second)
    # A sum that broadcasts would sum its gradient in an order of TensorFlow's.
    penalties = arithmetic.repeat(tf.reshape(penalty, (1, 1)), first.shape[0])
    return VICREG_WEIGHT * distances + penalties[:, 0]


def penalise(arithmetic: ModuleType, rows: tf.Tensor) -> tf.Tensor:
    """Return how far the columns of rows (N, D) are from a deviation of 1 and from being uncorrelated, ()."""
    count, size = rows.shape
    centred = rows - arithmetic.repeat(arithmetic.sum_over(rows, 0)[tf.newaxis] / count, count)
    # One image alone has no deviation.
    covariance = arithmetic.dense(tf.transpose(centred), centred) / max(1, count - 1)
    variances = arithmetic.sum_over(centred * centred, 0) / max(1, count - 1)
    missing = tf.nn.relu(1 - arithmetic.sqrt(variances + SMALLEST_SQUARE))
    others = covariance * (1 - tf.eye(size))
    squares = arithmetic.sum_over(tf.reshape(others * others, (size * size,)), 0)
    return (VICREG_WEIGHT * arithmetic.sum_over(missing, 0) + squares) / size
