"""Principal components equal those of a singular value decomposition, and samples keep their bounds."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from cae.core.arrays import Rows
from cae.metrics import principal_components
from cae.metrics.principal_components import (
    Components,
    fit_by_gram_matrix,
    fit_principal_components,
    sample_rows,
)

ROWS = np.random.default_rng(0).random((12, 30), dtype=np.float32)


def compute_singular_vectors(rows: Rows, count: int) -> Rows:
    centred = rows - rows.mean(axis=0, dtype=np.float64)
    return np.linalg.svd(centred, full_matrices=False)[2][:count]


@pytest.mark.parametrize("fit", [fit_principal_components, fit_by_gram_matrix])
@pytest.mark.parametrize("count", [1, 7, 11])
def test_directions_are_the_right_singular_vectors(
    fit: Callable[[Rows, int], Components], count: int
) -> None:
    mean, directions = fit(ROWS, count)
    np.testing.assert_allclose(mean, ROWS.mean(axis=0, dtype=np.float64))
    # The signs are free.
    agreement = np.abs((directions * compute_singular_vectors(ROWS, count)).sum(axis=1))
    np.testing.assert_allclose(agreement, 1, atol=1e-9)


def test_directions_in_which_nothing_varies_are_zero() -> None:
    # Twelve centred rows vary in eleven directions.
    np.testing.assert_allclose(np.linalg.norm(fit_by_gram_matrix(ROWS, 12).directions, axis=1)[10:], [1, 0])
    assert not fit_by_gram_matrix(np.full((4, 6), 0.25, np.float32), 2).directions.any()


def test_wide_rows_are_fitted_by_their_gram_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal_components, "WIDE", 29)
    directions = fit_principal_components(ROWS, 3).directions
    assert np.array_equal(directions, fit_by_gram_matrix(ROWS, 3).directions)


def test_rows_are_projected_on_the_directions() -> None:
    components = fit_principal_components(ROWS, 4)
    by_hand = (ROWS - components.mean) @ components.directions.T
    np.testing.assert_allclose(components.project(ROWS), by_hand, atol=1e-12)


@pytest.mark.parametrize("count", [0, 13])
def test_an_impossible_number_of_components_is_an_error(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} components are asked for, but 12 rows of 30 numbers"):
        fit_principal_components(ROWS, count)


@pytest.mark.parametrize(("most", "numbers", "expected"), [(99, 2**26, 12), (5, 2**26, 5), (99, 95, 3)])
def test_a_sample_is_bounded_and_keeps_the_order(
    most: int, numbers: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(principal_components, "MOST_SAMPLE_NUMBERS", numbers)
    indexed = np.arange(12, dtype=np.float32)[:, None].repeat(30, axis=1)
    sample = sample_rows(indexed, seed=1, most=most)[:, 0]
    assert len(sample) == expected
    assert (np.diff(sample) > 0).all()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux can pin a process to a core")
def test_bits_do_not_depend_on_the_number_of_cores_or_a_thread_setting() -> None:
    # PCA, t-SNE and nearest neighbours in one process each.
    program = (
        "import os, sys; os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:int(sys.argv[1])]))\n"
        "import stages, hashlib; import numpy as np\n"
        "from cae.metrics import baselines, embeddings\n"
        "images = np.random.default_rng(0).random((1200, 20, 20, 1), np.float32)\n"
        "codes = baselines.PrincipalComponents.fit(images, 50).encode(images)\n"
        "settings = embeddings.Settings(images=64, neighbours=3, perplexity=8.0, seed=1)\n"
        "points = embeddings.embed_by_pca(codes[:600], codes[600:])\n"
        "placed = embeddings.embed_by_tsne(codes[600:], points, settings)\n"
        "near = embeddings.find_nearest(codes[:600], codes[600:], 5)\n"
        "print(hashlib.sha256(codes.tobytes() + placed.tobytes() + near.tobytes()).hexdigest())"
    )
    one, all_cores = (
        subprocess.run(
            [sys.executable, "-c", program, cores],
            env=os.environ | {"OMP_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for cores, threads in (("1", "1"), ("1024", "2"))
    )
    assert one == all_cores
