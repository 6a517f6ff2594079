"""Baselines for a network: the mean image, the nearest training image, and PCA with the same code size.

Every baseline gives reconstructions by `reconstruct(images)`, (N, H, W, C) float32 in [0, 1]. Those with a
code have `code_size`, `encode(images)`, and `parameters`, how many numbers they learned.
"""

from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from cae.core.arrays import Images, Rows
from cae.datasets import prepared
from cae.metrics.principal_components import Components, fit_principal_components


class MeanImage:
    """Reconstructs every image as the mean (H, W, C) of the training images: a code of no numbers."""

    code_size = 0

    def __init__(self, mean: Images) -> None:
        self.mean = mean

    @classmethod
    def fit(cls, images: Images) -> Self:
        """Average training images (N, H, W, C)."""
        return cls(images.mean(axis=0, dtype=np.float64).astype(np.float32))

    @property
    def parameters(self) -> int:
        """How many numbers the mean image has."""
        return self.mean.size

    def reconstruct(self, images: Images) -> Images:
        """Repeat the mean image; ValueError for images of another shape."""
        if images.shape[1:] != self.mean.shape:
            raise ValueError(
                f"fitted to images of shape {self.mean.shape}, but these have {images.shape[1:]}"
            )
        return np.repeat(self.mean[np.newaxis], len(images), axis=0)


class NearestImage:
    """Reconstructs every image as the training image with the least squared error to it."""

    def __init__(self, images: Images) -> None:
        self.images = images
        self.model = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(flatten(images))

    def reconstruct(self, images: Images) -> Images:
        """Look up the nearest training images."""
        return self.images[self.model.kneighbors(flatten(images), return_distance=False)[:, 0]]


class PrincipalComponents:
    """The linear code of `code_size` numbers with the least squared error (PCA).

    z = (x − μ)·Wᵀ, x̂ = μ + z·W, with the first `code_size` directions W of `components`. Raises ValueError
    where there are fewer.
    """

    def __init__(self, code_size: int, components: Components) -> None:
        if not 1 <= code_size <= len(components.directions):
            raise ValueError(f"{code_size} components, but only {len(components.directions)} were fitted")
        self.code_size = code_size
        # The memory layout of scikit-learn: products have the same bits after a fit and from a file.
        directions = np.asfortranarray(components.directions[:code_size])
        self.components = components._replace(directions=directions)

    @classmethod
    def fit(cls, images: Images, code_size: int) -> Self:
        """Fit to training images (N, …); raises as `fit_principal_components`."""
        return cls(code_size, fit_principal_components(flatten(images), code_size))

    @property
    def parameters(self) -> int:
        """How many numbers the directions and the mean have."""
        return self.components.directions.size + self.components.mean.size

    def encode(self, images: Images) -> Rows:
        """(N, …) → codes (N, code_size) float32; ValueError for images with another number of values."""
        rows, fitted = flatten(images), len(self.components.mean)
        if rows.shape[1] != fitted:
            raise ValueError(f"fitted to images of {fitted} values, but these have {rows.shape[1]}")
        return self.components.project(rows).astype(np.float32)

    def decode(self, codes: Rows, image_shape: tuple[int, ...]) -> Images:
        """Codes (N, code_size) → images (N, H, W, C), clipped to [0, 1]."""
        mean, directions = self.components
        return np.clip(codes @ directions + mean, 0, 1).astype(np.float32).reshape(-1, *image_shape)

    def reconstruct(self, images: Images) -> Images:
        """Encode and decode."""
        return self.decode(self.encode(images), images.shape[1:])


def flatten(images: Images) -> Rows:
    """(N, …) → (N, D)."""
    return images.reshape(len(images), -1)


def to_arrays(mean_image: MeanImage, components: Components) -> dict[str, npt.NDArray[np.floating]]:
    """Return fitted baselines as arrays, by the names of the files that `read` reads."""
    return {
        "mean_image.npy": mean_image.mean,
        "pca_mean.npy": components.mean,
        "pca_directions.npy": components.directions,
    }


def read(folder: Path) -> tuple[MeanImage, Components]:
    """Read fitted baselines from a folder; UserError where a file is missing or broken."""
    mean_image, mean, directions = (
        np.array(prepared.map_array(folder / f"{name}.npy", remake="dvc repro --force baselines"))
        for name in ("mean_image", "pca_mean", "pca_directions")
    )
    return MeanImage(mean_image), Components(mean, directions)
