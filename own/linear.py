"""Principal components of pieces of any size: what the network, and the map of its codes, are set beside."""

import numpy as np
from sklearn.decomposition import PCA

from cae.ground.arrays import Images, Rows
from cae.measures.baselines import Components, PrincipalComponents

# Numbers at most that are fitted to, in float64 half a gigabyte, and rows.
NUMBERS = 2**26
ROWS = 10_000
# Up to so many pixels the covariance of all pairs is found, which is exact.
EXACT = 4096


def sample(rows: Images, seed: int) -> Images:
    """Draw as many pieces (N, …) as fit, in their order; all where they do."""
    count = min(len(rows), ROWS, max(1, NUMBERS // rows[0].size))
    drawn = np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])
    return rows[drawn]


def fitted(pieces: Images, code_size: int, seed: int) -> PrincipalComponents:
    """Fit principal components to pieces (N, h, w, C), or to a sample of them.

    As many as `code_size`, or as there can be of so many pieces and pixels.
    """
    known = sample(pieces, seed)
    most = min(code_size, len(known), known[0].size)
    return PrincipalComponents(most, components(known.reshape(len(known), -1), most, seed))


def components(rows: Rows, count: int, seed: int) -> Components:
    """Find the directions of greatest variance of rows (N, D): exactly where D is small, else nearly."""
    solver = "covariance_eigh" if rows.shape[1] <= EXACT else "randomized"
    pca = PCA(count, svd_solver=solver, random_state=seed).fit(rows.astype(np.float64))
    return Components(pca.mean_, pca.components_)
