"""A trained variational network as two functions: images → codes, and codes → probabilities of images."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from cae.core.arrays import Images, Rows, Scores
from cae.networks import variational
from cae.networks.autoencoder import Autoencoder, predict

# Codes that are decoded at once: so few images stay in a core's cache.
BATCH = 1000

Posterior = Callable[[Images], tuple[Rows, Rows]]
"""Images (N, H, W, C) → mean and log variance of their codes, (N, D) each: q(z|x)."""
LogProbability = Callable[[Rows, Images], Scores]
"""Codes (N, D) and binary images, (N, H, W, C) or (1, H, W, C) → log p(x|z) in nats, (N,)."""


class Density(NamedTuple):
    """A distribution of images: z ~ N(0, 1), x ~ p(x|z)."""

    posterior: Posterior
    log_probability: LogProbability


def build_density(network: Autoencoder) -> Density:
    """Build both functions from a variational network."""
    encoder, decoder = variational.get_posterior(network), variational.build_decoder_to_logits(network)
    shapes = ((None, *network.code_shape), (None, *network.encoder.input_shape[1:]))

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32) for shape in shapes])
    def compute_batch(codes: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        return compute_log_probability(decoder(codes), images)

    def posterior(images: Images) -> tuple[Rows, Rows]:
        mean, log_variance = predict(encoder, images)
        return mean, log_variance

    def log_probability(codes: Rows, images: Images) -> Scores:
        batches = [slice(start, start + BATCH) for start in range(0, len(codes), BATCH)]
        parts = [
            compute_batch(codes[batch], images if len(images) == 1 else images[batch]) for batch in batches
        ]
        return np.concatenate(parts).astype(np.float64)

    return Density(posterior, log_probability)


def compute_log_probability(logits: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Return log p(x|z) in nats, (N,), of binary images x, (N, H, W, C) or one, from logits l (N, H, W, C).

    Each pixel is white with probability σ(l):  log p(x|z) = Σ x·log σ(l) + (1 − x)·log σ(−l)
                                                           = Σ x·l − log(1 + eˡ)
    """
    return tf.reduce_sum(images * logits - tf.nn.softplus(logits), axis=(1, 2, 3))
