"""The evidence lower bound and its two parts, in nats a picture; and which numbers of a code are used.

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


class Parts(NamedTuple):
    """Both parts of the bound, and the means that they belong to, for N pictures and codes of D numbers."""

    reconstruction: Scores  # (N,), E[log p(x|z)]
    divergence: npt.NDArray[np.float64]  # (N, D), of each number
    means: Rows  # (N, D)

    def summary(self) -> dict[str, float]:
        """Average over pictures: `elbo`, `reconstruction` and `kl`, in nats a picture."""
        reconstruction = float(self.reconstruction.mean())
        kl = float(self.divergence.sum(axis=1).mean())
        return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}


def parts(model: Density, pictures: Images, draws: int, generator: np.random.Generator) -> Parts:
    """Measure black-and-white pictures (N, H, W, C): the expectation by some draws a picture, KL exactly."""
    mean, log_variance = model.posterior(pictures)
    deviation = np.exp(log_variance / 2)
    fits = []
    for _ in range(draws):
        codes = mean + deviation * generator.standard_normal(mean.shape, np.float32)
        fits.append(model.fit(codes.astype(np.float32), pictures))
    return Parts(np.mean(fits, axis=0), divergence(mean, log_variance), mean)


def divergence(mean: Rows, log_variance: Rows) -> npt.NDArray[np.float64]:
    """Return KL(N(m, eˢ) ‖ N(0, 1)) = ½ (m² + eˢ − s − 1) in nats, for every number by itself."""
    m, s = mean.astype(np.float64), log_variance.astype(np.float64)
    return (m**2 + np.exp(s) - s - 1) / 2


def variance_of_mean(means: Rows) -> npt.NDArray[np.float64]:
    """Return the variance over pictures of every number's mean, (D,): above `ACTIVE` it is active."""
    return means.astype(np.float64).var(axis=0)
