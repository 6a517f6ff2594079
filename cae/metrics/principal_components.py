"""Principal components of images or codes, found the same way and to the same bits by every caller."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from cae.core.arrays import Images, Rows

# A sample has at most this many numbers: half a gigabyte of float64.
MOST_SAMPLE_NUMBERS = 2**26
# Rows wider than this are fitted by their Gram matrix, which takes reasonable time for so many of them.
WIDE = 4096
MOST_WIDE_ROWS = 2048


class Components(NamedTuple):
    """Fitted principal components; the first K of a fit are those of a fit with K."""

    mean: npt.NDArray[np.float64]  # (D,)
    directions: npt.NDArray[np.float64]  # (K, D), of length 1, in order of falling variance

    def project(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Return the coordinates of rows along the directions: (N, D) → (N, K)."""
        return rows @ self.directions.T - self.mean @ self.directions.T


def fit_principal_components(rows: Rows, count: int) -> Components:
    """Find the `count` directions of greatest variance of rows (N, D).

    Raises:
        ValueError: `count` is below 1, or above the number of rows or their width.
    """
    if not 1 <= count <= min(rows.shape):
        raise ValueError(
            f"{count} components are asked for, but {len(rows)} rows of {rows.shape[1]} numbers "
            f"have 1 to {min(rows.shape)}"
        )
    if rows.shape[1] > max(WIDE, len(rows)):
        return fit_by_gram_matrix(rows, count)
    # Exact, fast for many rows, and scikit-learn fixes the signs of its eigenvectors.
    # float64: the covariance is a difference of two large sums.
    pca = PCA(count, svd_solver="covariance_eigh").fit(rows.astype(np.float64))
    return Components(pca.mean_, pca.components_)


def fit_by_gram_matrix(rows: Rows, count: int) -> Components:
    """Find principal components in twice the memory of the rows, however wide they are.

    With X = U·S·Vᵀ, XXᵀ = U·S²·Uᵀ is N × N, and the directions are the rows of Vᵀ = S⁻¹·Uᵀ·X.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean
    variances, vectors = np.linalg.eigh(centred @ centred.T)
    variances, vectors = variances[::-1][:count], vectors[:, ::-1][:, :count]
    directions = vectors.T @ centred
    # N centred rows vary in at most N − 1 directions; the others are set to 0.
    varies = variances > variances[0] * len(rows) * np.finfo(np.float64).eps
    directions /= np.where(varies, np.sqrt(np.abs(variances)), np.inf)[:, np.newaxis]
    return Components(mean, directions)


def sample_rows(rows: Images, seed: int, most: int) -> Images:
    """Draw at most `most` rows or images (N, …), fewer where they are large; their order is kept."""
    count = min(len(rows), most, max(1, MOST_SAMPLE_NUMBERS // rows[0].size))
    return rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])]
