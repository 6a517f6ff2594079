"""Embeddings of codes in the plane, nearest codes, and codes between two others.

All distances are Euclidean, between codes as they are. The PCA embedding is fitted to training codes. t-SNE
places the codes that it is given and predicts nothing for others.
"""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from cae.core.arrays import Indices, Labels, Rows
from cae.core.config import Section, Seed
from cae.core.errors import UserError
from cae.metrics.principal_components import fit_principal_components


class Settings(Section):
    """How codes are embedded in the plane."""

    # Test images, at most.
    images: Annotated[int, Field(ge=16, le=10_000)] = 4000
    # The k of k-NN and of the trustworthiness.
    neighbours: Annotated[int, Field(ge=1, le=100)] = 5
    # About how many neighbours of a point t-SNE considers.
    perplexity: Annotated[float, Field(ge=2, le=1000)] = 30.0
    # Draws the images.
    seed: Seed = 1


class Embedding(NamedTuple):
    """Codes placed in the plane."""

    points: Rows  # (N, 2)
    trustworthiness: float  # in [0, 1]: whether neighbours in the plane are neighbours by code
    accuracy: float  # leave-one-out accuracy of k-NN in the plane


def count_needed(settings: Settings) -> int:
    """Return how many images t-SNE with these settings, and the trustworthiness, need at least."""
    return max(2 * settings.neighbours, int(settings.perplexity)) + 1


def embed_by_pca(train: Rows, test: Rows) -> npt.NDArray[np.float64]:
    """Project test codes (N, D) on the first two principal components of training codes: (N, 2) float64.

    The second coordinate is 0 where the training codes have one component only.
    """
    count = min(2, *train.shape)
    points = fit_principal_components(train, count).project(test)
    return np.pad(points, ((0, 0), (0, 2 - count)))


def embed_by_tsne(test: Rows, start: npt.NDArray[np.float64], settings: Settings) -> Rows:
    """Embed test codes (N, D) by t-SNE that starts from their PCA embedding (N, 2): (N, 2) float32.

    Raises:
        UserError: all test codes are the same.
    """
    if (test == test[0]).all():
        raise UserError(
            "the encoder gives every test image the same code, so t-SNE cannot place them: lower the "
            "network's learning_rate or change train.seed in params.yaml, and train again"
        )
    # A start this small lets t-SNE pull the classes apart freely (Kobak and Berens 2019).
    small = (start / start[:, 0].std() * 1e-4).astype(np.float32)
    return TSNE(perplexity=settings.perplexity, init=small, random_state=settings.seed).fit_transform(test)


def measure(points: npt.NDArray[np.floating], codes: Rows, labels: Labels, neighbours: int) -> Embedding:
    """Measure how well points (N, 2) keep the neighbours of the codes (N, D) and tell classes apart."""
    points = points.astype(np.float32)
    trust = float(trustworthiness(codes, points, n_neighbors=neighbours))
    return Embedding(points, trust, compute_knn_accuracy(points, labels, neighbours))


def compute_knn_accuracy(rows: Rows, labels: Labels, neighbours: int) -> float:
    """Return the leave-one-out accuracy of k-NN: every row (N, D) is classified by all the others."""
    model = KNeighborsClassifier(neighbours, algorithm="brute").fit(rows, labels)
    # Without an argument scikit-learn classifies the fitted rows, none as its own neighbour.
    return float(accuracy_score(labels, model.predict(None)))


def find_nearest(rows: Rows, queries: Rows, count: int) -> Indices:
    """Return the indices (Q, count) of the rows nearest to each query, the nearest first."""
    return NearestNeighbors(n_neighbors=count, algorithm="brute").fit(rows).kneighbors(queries)[1]


def interpolate(start: Rows, end: Rows, steps: int) -> Rows:
    """Return `steps` arrays in equal steps on the line from `start` to `end`, both included."""
    weights = np.linspace(0, 1, steps, dtype=np.float32).reshape(-1, *[1] * start.ndim)
    return start * (1 - weights) + end * weights


def tabulate(embeddings: Mapping[str, Embedding], code_accuracy: float) -> pd.DataFrame:
    """Tabulate embeddings: columns embedding, trustworthiness, knn_accuracy; the full code comes last."""
    rows = {f"{name} embedding": (one.trustworthiness, one.accuracy) for name, one in embeddings.items()}
    rows["full code"] = (1.0, code_accuracy)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["trustworthiness", "knn_accuracy"])
    return table.rename_axis("embedding").reset_index()
