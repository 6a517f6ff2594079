"""What a network has to beat: the mean image, and principal components at the same code size.

One contract for all: `fit(images)` returns the fitted baseline, `encode(images)` the codes, and
`reconstruct(images)` float32 images in [0, 1]. Images are (N, H, W, 1) in [0, 1]. Using a baseline before
`fit` raises `sklearn.exceptions.NotFittedError`; images of another size than it was fitted to, ValueError.
"""

from typing import Protocol, Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from cae.arrays import Images, Rows


class Baseline(Protocol):
    """What every baseline can do."""

    @property
    def name(self) -> str:
        """What a table or a legend calls it."""

    @property
    def code_size(self) -> int:
        """Numbers kept for an image."""

    @property
    def parameters(self) -> int:
        """Numbers learned from the training images."""

    def fit(self, images: Images) -> Self:
        """Learn from training images."""

    def encode(self, images: Images) -> Rows:
        """(N, H, W, 1) → codes (N, code_size) float32."""

    def reconstruct(self, images: Images) -> Images:
        """(N, H, W, 1) → the same shape, float32 in [0, 1]."""


class MeanImage:
    """Answers every image with the mean of the training images: what a code of no numbers can do."""

    name = "mean image"
    code_size = 0

    def fit(self, images: Images) -> Self:
        """Average the training images."""
        self._mean = images.mean(axis=0, dtype=np.float64).astype(np.float32)
        return self

    @property
    def mean(self) -> Images:
        """The mean image (H, W, 1)."""
        if not hasattr(self, "_mean"):
            raise NotFittedError("MeanImage knows no image yet: call fit first")
        return self._mean

    @property
    def parameters(self) -> int:
        """One number a pixel."""
        return self.mean.size

    def encode(self, images: Images) -> Rows:
        """(N, H, W, 1) → (N, 0)."""
        return np.empty((len(images), self.code_size), np.float32)

    def reconstruct(self, images: Images) -> Images:
        """(N, H, W, 1) → N times the mean image."""
        if images.shape[1:] != self.mean.shape:
            raise ValueError(f"fitted to images {self.mean.shape}, but these are {images.shape[1:]}")
        return np.repeat(self.mean[np.newaxis], len(images), axis=0)


class PrincipalComponents:
    """The best linear code of `components` numbers in the sense of squared error (PCA).

    `fit` raises ValueError unless `components` lies between 1 and both the number of images and of pixels.
    """

    def __init__(self, components: int) -> None:
        self.code_size = components
        self.name = f"PCA-{components}"
        # Exact, fast for many images of few pixels, and scikit-learn fixes the signs of its eigenvectors.
        self._pca = PCA(components, svd_solver="covariance_eigh")

    def fit(self, images: Images) -> Self:
        """Find the directions of greatest variance."""
        if self.code_size < 1:
            raise ValueError(f"n_components={self.code_size}, but at least one component is needed")
        # float64: the covariance is a difference of two large sums.
        self._pca.fit(images.reshape(len(images), -1).astype(np.float64))
        return self

    @property
    def parameters(self) -> int:
        """`components` directions and the mean, each of one number a pixel."""
        if not hasattr(self._pca, "components_"):
            raise NotFittedError("PrincipalComponents knows no direction yet: call fit first")
        return self._pca.components_.size + self._pca.mean_.size

    def encode(self, images: Images) -> Rows:
        """(N, H, W, 1) → codes (N, components) float32, in order of falling variance."""
        return self._pca.transform(images.reshape(len(images), -1)).astype(np.float32)

    def reconstruct(self, images: Images) -> Images:
        """(N, H, W, 1) → the same shape, clipped to [0, 1]: grey values do not lie outside."""
        pixels = self._pca.inverse_transform(self.encode(images))
        return np.clip(pixels, 0, 1).astype(np.float32).reshape(images.shape)
