"""Embeddings, nearest codes and codes between two others, each against its definition."""

import numpy as np
import pytest

from cae.core.arrays import Labels, Rows
from cae.core.errors import UserError
from cae.metrics import embeddings

SETTINGS = embeddings.Settings(images=64, neighbours=3, perplexity=8.0, seed=1)
CODES: Rows = (np.random.default_rng(0).normal(size=(120, 7)) * np.linspace(3, 0.5, 7)).astype(np.float32)
TRAIN, TEST = CODES[:60], CODES[60:]
LABELS: Labels = (np.arange(60) % 3).astype(np.uint8)


def compute_trustworthiness(rows: Rows, points: Rows, neighbours: int) -> float:
    """Venna and Kaski 2001: 1 − 2/(nk(2n − 3k − 1)) Σᵢ Σ_{j in Uₖ(i)} (r(i, j) − k)."""
    n, k = len(rows), neighbours
    penalty = 0
    for i in range(n):
        by_code = np.argsort(np.linalg.norm(rows - rows[i], axis=1))
        by_code = by_code[by_code != i].tolist()
        in_plane = np.argsort(np.linalg.norm(points - points[i], axis=1))
        in_plane = in_plane[in_plane != i][:k]
        penalty += sum(max(0, by_code.index(j) + 1 - k) for j in in_plane)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * penalty


def test_the_pca_embedding_is_along_the_components_of_the_training_codes() -> None:
    mean = TRAIN.mean(axis=0, dtype=np.float64)
    directions = np.linalg.svd(TRAIN - mean, full_matrices=False)[2][:2]
    by_hand = (TEST - mean) @ directions.T
    assert np.abs(embeddings.embed_by_pca(TRAIN, TEST)) == pytest.approx(np.abs(by_hand), abs=1e-4)


def test_codes_of_one_number_are_embedded_on_a_line() -> None:
    points = embeddings.embed_by_pca(TRAIN[:, :1], TEST[:, :1])
    assert points.shape == (60, 2)
    assert not points[:, 1].any()


def test_an_embedding_is_measured_by_trustworthiness_and_knn_accuracy() -> None:
    by_pca = embeddings.embed_by_pca(TRAIN, TEST)
    for places in (by_pca, embeddings.embed_by_tsne(TEST, by_pca, SETTINGS)):
        points, trustworthiness, accuracy = embeddings.measure(places, TEST, LABELS, 3)
        assert points.shape == (60, 2)
        assert trustworthiness == pytest.approx(compute_trustworthiness(TEST, points, 3))
        assert accuracy == embeddings.compute_knn_accuracy(points, LABELS, 3)


def test_equal_codes_are_a_clear_error_of_tsne() -> None:
    with pytest.raises(UserError, match="every test image the same code"):
        embeddings.embed_by_tsne(np.ones((60, 7), np.float32), np.zeros((60, 2)), SETTINGS)


@pytest.mark.parametrize(("neighbours", "perplexity", "needed"), [(3, 8.5, 9), (6, 8.5, 13)])
def test_enough_images_for_tsne_and_the_trustworthiness(
    neighbours: int, perplexity: float, needed: int
) -> None:
    settings = embeddings.Settings(neighbours=neighbours, perplexity=perplexity)
    assert embeddings.count_needed(settings) == needed


def test_the_table_of_embeddings_ends_with_the_code_itself() -> None:
    one = embeddings.Embedding(np.zeros((2, 2), np.float32), 0.9, 0.5)
    assert embeddings.tabulate({"PCA": one}, code_accuracy=0.8).to_dict("list") == {
        "embedding": ["PCA embedding", "full code"],
        "trustworthiness": [0.9, 1.0],
        "knn_accuracy": [0.5, 0.8],
    }


@pytest.mark.parametrize(("labels", "accuracy"), [([5, 5, 5, 7], 0.75), ([5, 5, 5, 5], 1)])
def test_knn_accuracy_leaves_the_row_itself_out(labels: list[int], accuracy: float) -> None:
    # Each of the first three rows has two of its own class nearest; the last has none.
    rows = np.array([[0], [1], [2.1], [3.3]], np.float32)
    assert embeddings.compute_knn_accuracy(rows, np.array(labels, np.uint8), 2) == accuracy


def test_the_nearest_rows_come_in_order_of_distance() -> None:
    distances = np.linalg.norm(CODES[100:, None].astype(np.float64) - CODES[None, :100], axis=2)
    nearest = embeddings.find_nearest(CODES[:100], CODES[100:], 6)
    assert np.array_equal(nearest, np.argsort(distances, axis=1)[:, :6])


def test_steps_between_two_codes_are_equal_and_include_both() -> None:
    start, end = np.array([[0, 1]], np.float32), np.array([[1, 5]], np.float32)
    steps = embeddings.interpolate(start, end, 5)
    assert steps.dtype == np.float32
    assert steps.tolist() == [[[0, 1]], [[0.25, 2]], [[0.5, 3]], [[0.75, 4]], [[1, 5]]]
