"""The best linear filter of white noise for images whose principal components are known."""

from typing import NamedTuple, Self

import numpy as np

from cae.core.arrays import Images, Rows
from cae.metrics.baselines import PrincipalComponents


class Wiener(NamedTuple):
    """The Wiener filter in the basis of the principal components: z′ = z·λ/(λ + σ²).

    z are an image's components, and λ their variances on clean training images. Components that vary less
    than the noise shrink most.
    """

    pca: PrincipalComponents
    variances: Rows  # (D,)

    @classmethod
    def fit(cls, pca: PrincipalComponents, train: Images) -> Self:
        """Compute the variances on clean training images (N, H, W, 1)."""
        return cls(pca, pca.encode(train).var(axis=0, dtype=np.float64).astype(np.float32))

    def denoise(self, images: Images, deviation: float) -> Images:
        """Filter images (N, H, W, 1) with noise of this standard deviation σ > 0, in grey values."""
        shrinkage = self.variances / (self.variances + np.float32(deviation) ** 2)
        return self.pca.decode(self.pca.encode(images) * shrinkage, images.shape[1:])
