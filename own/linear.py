"""Principal components of pieces of any size: what the network, and the map of its codes, are set beside."""

import numpy as np
from sklearn.decomposition import PCA

from cae.core.arrays import Images, Rows
from cae.metrics.baselines import Components, PrincipalComponents

# Numbers at most that are fitted to, in float64 half a gigabyte, and rows.
NUMBERS = 2**26
ROWS = 10_000
# Rows at most whose products are found, of large pieces.
FEW = 2048
# Up to so many pixels the covariance of all pairs of them is found, beyond that of all pairs of rows.
EXACT = 4096


def sample(rows: Images, seed: int, most: int = ROWS) -> Images:
    """Draw as many pieces (N, …) as fit, at most `most`, in their order; all where they do."""
    count = min(len(rows), most, max(1, NUMBERS // rows[0].size))
    drawn = np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])
    return rows[drawn]


def fitted(pieces: Images, code_size: int, seed: int) -> PrincipalComponents:
    """Fit principal components to pieces (N, h, w, C), or to a sample of them.

    As many as `code_size`, or as there can be of so many pieces and pixels.
    """
    known = sample_for_components(pieces, seed)
    most = min(code_size, len(known), known[0].size)
    return PrincipalComponents(most, find_components(known.reshape(len(known), -1), most))


def sample_for_components(rows: Images, seed: int) -> Images:
    """Draw pieces that principal components are found of in reasonable time."""
    return sample(rows, seed, ROWS if rows[0].size <= EXACT else FEW)


def find_components(rows: Rows, count: int) -> Components:
    """Find the directions of greatest variance of rows (N, D)."""
    if rows.shape[1] > EXACT:
        return find_components_by_gram_matrix(rows, count)
    pca = PCA(count, svd_solver="covariance_eigh").fit(rows.astype(np.float64))
    return Components(pca.mean_, pca.components_)


def find_components_by_gram_matrix(rows: Rows, count: int) -> Components:
    """Find them in the memory of two times the rows, however many numbers a row has.

    With X = U·S·Vᵀ, XXᵀ = U·S²·Uᵀ is N × N, and the directions are the rows of Vᵀ = S⁻¹·Uᵀ·X.
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = rows - mean
    variances, vectors = np.linalg.eigh(centred @ centred.T)
    variances, vectors = variances[::-1][:count], vectors[:, ::-1][:, :count]
    directions = vectors.T @ centred
    # N centred rows vary in N − 1 directions at most: one that is none gives nothing.
    varies = variances > variances[0] * len(rows) * np.finfo(np.float64).eps
    directions /= np.where(varies, np.sqrt(np.abs(variances)), np.inf)[:, np.newaxis]
    return Components(mean, directions)
