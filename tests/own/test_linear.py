"""Principal components of large pieces are those that a singular value decomposition finds."""

import numpy as np
import pytest

from cae.metrics.baselines import PrincipalComponents
from own import linear


@pytest.mark.parametrize("count", [1, 7, 11, 12])
def test_directions_are_the_right_singular_vectors(count: int) -> None:
    rows = np.random.default_rng(0).random((12, 30), dtype=np.float32)
    found = linear.find_components_by_gram_matrix(rows, count)
    mean = rows.mean(axis=0, dtype=np.float64)
    vectors = np.linalg.svd(rows - mean, full_matrices=False)[2][:count]
    np.testing.assert_allclose(found.mean, mean)
    # Twelve centred rows vary in eleven directions; the signs are free.
    agree = np.abs((found.directions * vectors).sum(axis=1))
    np.testing.assert_allclose(agree, [1.0] * min(count, 11) + [0.0] * (count - min(count, 11)), atol=1e-9)


def test_rows_that_are_all_alike_have_no_direction_and_come_back() -> None:
    rows = np.full((4, 2, 3, 1), 0.25, np.float32)
    pca = PrincipalComponents(2, linear.find_components_by_gram_matrix(rows.reshape(4, -1), 2))
    np.testing.assert_array_equal(pca.reconstruct(rows), rows)
