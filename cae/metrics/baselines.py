"""What a network has to beat: the mean image, and principal components at the same code size.

One contract for all: `fit(images)` returns the fitted baseline, `encode(images)` the codes, and
`reconstruct(images)` float32 images in [0, 1]. Images are (N, H, W, 1) in [0, 1]. Using a baseline before
`fit` raises `sklearn.exceptions.NotFittedError`; images of another size than it was fitted to, ValueError.
"""

from pathlib import Path
from typing import NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from cae.core import files
from cae.core.arrays import Images, Rows
from cae.datasets import splits


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
    """Answers every image with the mean of the training images: what a code of no numbers can do.

    `mean`, float32 (H, W, 1), is what an earlier `fit` found, for one that is fitted already.
    """

    name = "mean image"
    code_size = 0

    def __init__(self, mean: Images | None = None) -> None:
        self._mean = mean

    def fit(self, images: Images) -> Self:
        """Average the training images."""
        self._mean = images.mean(axis=0, dtype=np.float64).astype(np.float32)
        return self

    @property
    def mean(self) -> Images:
        """The mean image (H, W, 1)."""
        if self._mean is None:
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


class Components(NamedTuple):
    """What `PrincipalComponents.fit` finds; fewer components of the same images are its first directions."""

    mean: npt.NDArray[np.float64]  # (D,), the mean of every pixel
    directions: npt.NDArray[np.float64]  # (K, D), of length 1, in order of falling variance


class PrincipalComponents:
    """The best linear code of `code_size` numbers in the sense of squared error (PCA).

    z = (x − μ)·Wᵀ, x̂ = μ + z·W, W the directions. `fitted` is what an earlier `fit` found, with at least as
    many directions, for one that is fitted already. `fit` raises ValueError unless `code_size` lies between 1
    and both the number of images and of pixels.
    """

    def __init__(self, code_size: int, fitted: Components | None = None) -> None:
        if fitted is not None and not 1 <= code_size <= len(fitted.directions):
            raise ValueError(f"{code_size} components, but only {len(fitted.directions)} were fitted")
        self.code_size = code_size
        self.name = f"PCA-{code_size}"
        # As scikit-learn lays them out in memory: products have the same bits, just fitted or from a file.
        self._components = (
            None
            if fitted is None
            else Components(fitted.mean, np.asfortranarray(fitted.directions[:code_size]))
        )

    def fit(self, images: Images) -> Self:
        """Find the directions of greatest variance."""
        if self.code_size < 1:
            raise ValueError(f"n_components={self.code_size}, but at least one component is needed")
        # Exact, fast for many images of few pixels, and scikit-learn fixes the signs of its eigenvectors.
        pca = PCA(self.code_size, svd_solver="covariance_eigh")
        # float64: the covariance is a difference of two large sums.
        pca.fit(images.reshape(len(images), -1).astype(np.float64))
        self._components = Components(pca.mean_, pca.components_)
        return self

    @property
    def components(self) -> Components:
        """What was found."""
        if self._components is None:
            raise NotFittedError("PrincipalComponents knows no direction yet: call fit first")
        return self._components

    @property
    def parameters(self) -> int:
        """`code_size` directions and the mean, each of one number a pixel."""
        return self.components.directions.size + self.components.mean.size

    def encode(self, images: Images) -> Rows:
        """(N, H, W, 1) → codes (N, code_size) float32, in order of falling variance."""
        mean, directions = self.components
        rows = images.reshape(len(images), -1)
        if rows.shape[1] != len(mean):
            raise ValueError(f"fitted to images of {len(mean)} features, but these have {rows.shape[1]}")
        return (rows @ directions.T - mean @ directions.T).astype(np.float32)

    def decode(self, codes: Rows, image_shape: tuple[int, ...]) -> Images:
        """Codes (N, code_size) → images (N, H, W, 1), clipped to [0, 1]: grey values do not lie outside."""
        mean, directions = self.components
        return np.clip(codes @ directions + mean, 0, 1).astype(np.float32).reshape(-1, *image_shape)

    def reconstruct(self, images: Images) -> Images:
        """(N, H, W, 1) → the same shape, clipped to [0, 1]."""
        return self.decode(self.encode(images), images.shape[1:])


def write(folder: Path, mean_image: MeanImage, components: Components) -> None:
    """Write what was fitted, for `read`."""
    files.write_array(folder / "mean_image.npy", mean_image.mean)
    files.write_array(folder / "pca_mean.npy", components.mean)
    files.write_array(folder / "pca_directions.npy", components.directions)


def read(folder: Path) -> tuple[MeanImage, Components]:
    """Read what `write` wrote; UserError where a file is missing or broken."""
    mean_image, mean, directions = (
        np.array(splits.mapped(folder / f"{name}.npy", remake="dvc repro --force baselines"))
        for name in ("mean_image", "pca_mean", "pca_directions")
    )
    return MeanImage(mean_image), Components(mean, directions)
