"""Black-and-white pictures: each pixel is white as probably as it is bright."""

import numpy as np
import tensorflow as tf

from cae.core.arrays import Images


def drawn(validation: Images, test: Images, seed: int) -> tuple[Images, Images]:
    """Draw every pixel from Bernoulli(grey value), once and for all: 0 or 1, of the images' shape and dtype.

    As in the published protocol: `RandomState(seed).binomial(1, x)` on the validation split, then on the
    test split (sajadn/Exemplar-VAE, utils/load_data/base_load_data.py).
    """
    generator = np.random.RandomState(seed)
    of_validation = generator.binomial(1, validation).astype(np.float32)
    return of_validation, generator.binomial(1, test).astype(np.float32)


def log_probability(logits: tf.Tensor, pictures: tf.Tensor) -> tf.Tensor:
    """Return log p(x|z) in nats, (N,), for logits l and black-and-white pictures x, (N, H, W, C) or one.

    Each pixel is white with probability σ(l):  log p(x|z) = Σ x·log σ(l) + (1 − x)·log σ(−l)
                                                           = Σ x·l − log(1 + eˡ)
    """
    return tf.reduce_sum(pictures * logits - tf.nn.softplus(logits), axis=(1, 2, 3))
