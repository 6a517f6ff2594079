"""The log-likelihood of one image by importance sampling.

    log p(x) ≈ log 1/K Σ w_k,   w_k = p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

Burda, Grosse, Salakhutdinov: Importance Weighted Autoencoders (2016), https://arxiv.org/abs/1509.00519,
section 3. Its expectation is below log p(x), and rises to it with K; K = 1 gives the evidence lower bound.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from cae.core.arrays import Images, Rows, Scores
from studies.variational.density import LogProbability


class Estimate(NamedTuple):
    """The estimate from K draws for one image."""

    log_likelihood: float  # nats
    effective: float  # effective sample size (Σ w)² / Σ w²: as many draws from p(z|x) itself


def estimate(
    log_probability: LogProbability,
    image: Images,
    mean: Rows,
    log_variance: Rows,
    samples: int,
    generator: np.random.Generator,
) -> Estimate:
    """Estimate one binary image (1, H, W, C), whose q(z|x) has this mean and log variance, (D,)."""
    weights = compute_log_weights(log_probability, image, mean, log_variance, samples, generator)
    total = logsumexp(weights)
    return Estimate(
        log_likelihood=float(total - np.log(samples)),
        effective=float(np.exp(2 * total - logsumexp(2 * weights))),
    )


def compute_log_weights(
    log_probability: LogProbability,
    image: Images,
    mean: Rows,
    log_variance: Rows,
    samples: int,
    generator: np.random.Generator,
) -> Scores:
    """Draw codes z = m + e^(s/2)·ε and return log w of each, (samples,); their mean is the bound of K = 1.

    log p(z) − log q(z|x) = ½ Σ (ε² + s − z²)
    """
    m, s = mean.astype(np.float64), log_variance.astype(np.float64)
    noise = generator.standard_normal((samples, len(m)))
    codes = m + np.exp(s / 2) * noise
    ratio = (noise**2 + s - codes**2).sum(axis=1) / 2
    return log_probability(codes.astype(np.float32), image) + ratio
