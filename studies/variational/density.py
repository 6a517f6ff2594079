"""A trained variational network as what the measures need of it: two plain functions."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from cae.core.arrays import Images, Rows, Scores
from cae.networks import variational
from cae.networks.autoencoder import Autoencoder, predict
from studies.variational.pixels import log_probability

# Codes decoded at once: so many pictures stay close to a core.
AT_ONCE = 1000

Posterior = Callable[[Images], tuple[Rows, Rows]]
"""Pictures (N, H, W, C) → mean and log variance of their codes, (N, D) each: q(z|x)."""
Fit = Callable[[Rows, Images], Scores]
"""Codes (N, D) and black-and-white pictures, (N, H, W, C) or one, (1, H, W, C) → log p(x|z) in nats, (N,)."""


class Density(NamedTuple):
    """Which codes a picture may have, and how well a code fits a picture; codes are N(0, 1) beforehand."""

    posterior: Posterior
    fit: Fit


def of(network: Autoencoder) -> Density:
    """Return both functions of a variational network."""
    encoder, painter = variational.posterior(network), variational.decoder_to_logits(network)
    shapes = ((None, *network.code_shape), (None, *network.encoder.input_shape[1:]))

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32) for shape in shapes])
    def part(codes: tf.Tensor, pictures: tf.Tensor) -> tf.Tensor:
        return log_probability(painter(codes), pictures)

    def posterior(pictures: Images) -> tuple[Rows, Rows]:
        mean, log_variance = predict(encoder, pictures)
        return mean, log_variance

    def fit(codes: Rows, pictures: Images) -> Scores:
        places = [slice(start, start + AT_ONCE) for start in range(0, len(codes), AT_ONCE)]
        parts = [part(codes[place], pictures if len(pictures) == 1 else pictures[place]) for place in places]
        return np.concatenate(parts).astype(np.float64)

    return Density(posterior, fit)
