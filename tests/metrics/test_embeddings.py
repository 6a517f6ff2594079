"""Maps, neighbours and lines between codes, each against its definition."""

import os
import subprocess
import sys

import numpy as np
import pytest

from cae.core import params
from cae.core.arrays import Labels, Rows
from cae.core.errors import UserError
from cae.metrics import embeddings

SETTINGS = params.Maps(images=64, neighbours=3, perplexity=8.0, seed=1)


@pytest.fixture
def codes() -> Rows:
    scales = np.linspace(3, 0.5, 7)
    return (np.random.default_rng(0).normal(size=(120, 7)) * scales).astype(np.float32)


LABELS: Labels = (np.arange(60) % 3).astype(np.uint8)


def trust(rows: Rows, places: Rows, neighbours: int) -> float:
    """Venna and Kaski 2001: 1 − 2/(nk(2n − 3k − 1)) Σᵢ Σ_{j in Uₖ(i)} (r(i, j) − k)."""
    n, k = len(rows), neighbours
    penalty = 0
    for i in range(n):
        by_code = np.argsort(np.linalg.norm(rows - rows[i], axis=1))
        by_code = by_code[by_code != i].tolist()
        on_map = np.argsort(np.linalg.norm(places - places[i], axis=1))
        on_map = on_map[on_map != i][:k]
        penalty += sum(max(0, by_code.index(j) + 1 - k) for j in on_map)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * penalty


def test_the_linear_map_is_along_the_components_of_the_training_codes(codes: Rows) -> None:
    train, test = codes[:60], codes[60:]
    places = embeddings.embed_by_pca(train, test)
    centred = train - train.mean(axis=0, dtype=np.float64)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    by_hand = (test - train.mean(axis=0, dtype=np.float64)) @ directions.T
    assert np.abs(places) == pytest.approx(np.abs(by_hand), abs=1e-4)


def test_a_map_comes_with_its_trustworthiness_and_its_vote(codes: Rows) -> None:
    linear = embeddings.embed_by_pca(codes[:60], codes[60:])
    for places in (linear, embeddings.embed_by_tsne(codes[60:], linear, SETTINGS)):
        assert places.shape == (60, 2)
        points, trustworthiness, accuracy = embeddings.measure(places, codes[60:], LABELS, 3)
        assert trustworthiness == pytest.approx(trust(codes[60:], points, 3))
        assert accuracy == embeddings.compute_knn_accuracy(points, LABELS, 3)


def test_too_few_images_for_a_map_are_a_clear_error() -> None:
    embeddings.check(9, SETTINGS)
    with pytest.raises(UserError, match=r"8 test images are to be mapped, but .* need 9: lower them"):
        embeddings.check(8, SETTINGS)


def test_the_table_of_maps_ends_with_the_code_itself() -> None:
    table = embeddings.tabulate(
        {"pca": embeddings.Embedding(np.zeros((2, 2), np.float32), 0.9, 0.5)}, by_code=0.8
    )
    assert table.to_dict("list") == {
        "map": ["pca", "code"],
        "trustworthiness": [0.9, 1.0],
        "neighbours_accuracy": [0.5, 0.8],
    }


def test_leave_one_out_asks_the_others() -> None:
    # Each of the first three has two of its own nearest; the last has none of its own.
    rows = np.array([[0], [1], [2.1], [3.3]], np.float32)
    assert embeddings.compute_knn_accuracy(rows, np.array([5, 5, 5, 7], np.uint8), 2) == 0.75
    assert embeddings.compute_knn_accuracy(rows, np.array([5, 5, 5, 5], np.uint8), 2) == 1


def test_codes_that_are_all_the_same_are_a_clear_error(codes: Rows) -> None:
    with pytest.raises(UserError, match="every test image the same code"):
        embeddings.embed_by_pca(codes[:60], np.ones((60, 7), np.float32))


def test_the_nearest_rows_come_in_order_of_distance(codes: Rows) -> None:
    distances = np.linalg.norm(codes[100:, None].astype(np.float64) - codes[None, :100], axis=2)
    assert np.array_equal(
        embeddings.find_nearest(codes[:100], codes[100:], 6), np.argsort(distances, axis=1)[:, :6]
    )


def test_steps_between_two_codes_are_equal_and_include_both() -> None:
    start, end = np.array([[0, 1]], np.float32), np.array([[1, 5]], np.float32)
    steps = embeddings.interpolate(start, end, 5)
    assert steps.dtype == np.float32
    assert steps.tolist() == [[[0, 1]], [[0.25, 2]], [[0.5, 3]], [[0.75, 4]], [[1, 5]]]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux can pin a process to a core")
def test_the_bits_do_not_depend_on_the_number_of_cores_or_a_thread_setting() -> None:
    program = (
        "import os, sys; os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:int(sys.argv[1])]))\n"
        "import stages, hashlib; import numpy as np; from cae.metrics import embeddings\n"
        "from tests.metrics.test_embeddings import SETTINGS\n"
        "codes = np.random.default_rng(0).random((1200, 64), np.float32)\n"
        "linear = embeddings.embed_by_pca(codes[:600], codes[600:])\n"
        "drawn = embeddings.embed_by_tsne(codes[600:], linear, SETTINGS)\n"
        "near = embeddings.find_nearest(codes[:600], codes[600:], 5)\n"
        "print(hashlib.sha256(drawn.tobytes() + near.tobytes()).hexdigest())"
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
