"""Codes in space: maps of them in the plane, their nearest neighbours, and the line between two.

Distances are Euclidean, between codes as they come. No fit sees a test image: the components of the linear
map are those of training codes. t-SNE places the codes it is given, and nothing is predicted from it.
"""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from cae.core.arrays import Indices, Labels, Rows
from cae.core.config import Section, Seed
from cae.core.errors import UserError


class Settings(Section):
    """How codes are embedded in the plane."""

    # Test images, at most.
    images: Annotated[int, Field(ge=16, le=10_000)]
    # The k of k-NN and of the trustworthiness.
    neighbours: Annotated[int, Field(ge=1, le=100)]
    # Of t-SNE: about how many neighbours of a point count.
    perplexity: Annotated[float, Field(ge=2, le=1000)]
    # Draws the images.
    seed: Seed


class Embedding(NamedTuple):
    """Codes placed in the plane."""

    points: Rows  # (N, 2)
    trustworthiness: float  # from 0 to 1: whether neighbours on the map are neighbours by code
    accuracy: float  # of the nearest other points' vote


def check(images: int, settings: Settings) -> None:
    """Refuse too few test images for the maps that are asked for, before any work is done; UserError."""
    mapped = min(settings.images, images)
    needed = max(2 * settings.neighbours, int(settings.perplexity)) + 1
    if mapped < needed:
        raise UserError(
            f"{mapped} test images are to be mapped, but maps.neighbours and maps.perplexity need {needed}"
            ": lower them, or raise maps.images or prepare.test, in params.yaml"
        )


def embed_by_pca(train: Rows, test: Rows) -> npt.NDArray[np.float64]:
    """Map test codes (N, D) into the plane by the first two components of the training codes: (N, 2) float64.

    Raises:
        UserError: all test codes are the same.
    """
    if (test == test[0]).all():
        raise UserError(
            "the encoder gives every test image the same code, so there is nothing to map: "
            "lower the network's learning_rate or change train.seed in params.yaml, and train again"
        )
    fitted = PCA(2, svd_solver="covariance_eigh").fit(train.astype(np.float64))
    return fitted.transform(test)


def embed_by_tsne(test: Rows, linear: npt.NDArray[np.float64], settings: Settings) -> Rows:
    """Map test codes (N, D) into the plane by t-SNE, which begins at their linear map (N, 2): (N, 2)."""
    # A start this small lets t-SNE pull the classes apart freely (Kobak and Berens 2019).
    start = linear / linear[:, 0].std() * 1e-4
    tsne = TSNE(perplexity=settings.perplexity, init=start.astype(np.float32), random_state=settings.seed)
    return tsne.fit_transform(test)


def measure(points: npt.NDArray[np.floating], codes: Rows, labels: Labels, neighbours: int) -> Embedding:
    """Say how faithful to the codes (N, D) a map (N, 2) of them is."""
    places = points.astype(np.float32)
    trust = float(trustworthiness(codes, places, n_neighbors=neighbours))
    return Embedding(places, trust, compute_knn_accuracy(places, labels, neighbours))


def compute_knn_accuracy(rows: Rows, labels: Labels, neighbours: int) -> float:
    """Return how often the nearest other rows vote for a row's own label."""
    model = KNeighborsClassifier(neighbours, algorithm="brute").fit(rows, labels)
    # Without an argument every row is asked, and none counts as its own neighbour.
    return float(accuracy_score(labels, model.predict(None)))


def find_nearest(rows: Rows, queries: Rows, count: int) -> Indices:
    """Return (Q, count) indices of the rows nearest to each query, the nearest first."""
    return NearestNeighbors(n_neighbors=count, algorithm="brute").fit(rows).kneighbors(queries)[1]


def interpolate(start: Rows, end: Rows, steps: int) -> Rows:
    """Return `steps` arrays on the straight line from `start` to `end`, both included, in equal steps."""
    weights = np.linspace(0, 1, steps, dtype=np.float32).reshape(-1, *[1] * start.ndim)
    return start * (1 - weights) + end * weights


def tabulate(drawn: Mapping[str, Embedding], by_code: float) -> pd.DataFrame:
    """Tabulate how faithful maps are (map, trustworthiness, neighbours_accuracy), last the code itself."""
    rows = [
        {"map": name, "trustworthiness": map.trustworthiness, "neighbours_accuracy": map.accuracy}
        for name, map in drawn.items()
    ]
    return pd.DataFrame([*rows, {"map": "code", "trustworthiness": 1.0, "neighbours_accuracy": by_code}])
