"""The evidence lower bound and its two parts, in nats per image.

    log p(x) ≥ E[log p(x|z)] − KL(q(z|x) ‖ p(z)),  z ~ q(z|x) = N(m, eˢ),  p(z) = N(0, 1)

Kingma, Welling (2014), https://arxiv.org/abs/1312.6114.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core.arrays import Images, Rows, Scores
from studies.variational.density import Density

# Burda et al. (2016), https://arxiv.org/abs/1509.00519, section 5: a unit whose mean varies less is inactive.
ACTIVE = 0.01


class Bound(NamedTuple):
    """Both parts of the bound, and the means of the codes, for N images and codes of D numbers."""

    reconstruction: Scores  # (N,), E[log p(x|z)]
    divergence: npt.NDArray[np.float64]  # (N, D), of each number
    means: Rows  # (N, D)

    def summarise(self) -> dict[str, float]:
        """Average over images: `elbo`, `reconstruction` and `kl`, in nats per image."""
        reconstruction = float(self.reconstruction.mean())
        kl = float(self.divergence.sum(axis=1).mean())
        return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}


def estimate_bound(model: Density, images: Images, draws: int, generator: np.random.Generator) -> Bound:
    """Compute the bound of binary images (N, H, W, C): the expectation from some draws, KL exactly."""
    mean, log_variance = model.posterior(images)
    deviation = np.exp(log_variance / 2)
    fits = []
    for _ in range(draws):
        codes = mean + deviation * generator.standard_normal(mean.shape, np.float32)
        fits.append(model.log_probability(codes.astype(np.float32), images))
    return Bound(np.mean(fits, axis=0), compute_divergence(mean, log_variance), mean)


def compute_divergence(mean: Rows, log_variance: Rows) -> npt.NDArray[np.float64]:
    """Return KL(N(m, eˢ) ‖ N(0, 1)) = ½ (m² + eˢ − s − 1) in nats, of every number by itself."""
    m, s = mean.astype(np.float64), log_variance.astype(np.float64)
    return (m**2 + np.exp(s) - s - 1) / 2


def compute_variance(means: Rows) -> npt.NDArray[np.float64]:
    """Return the variance over images of every number's mean, (D,): above `ACTIVE` it is active."""
    return means.astype(np.float64).var(axis=0)
