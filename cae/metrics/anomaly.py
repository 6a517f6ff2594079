"""How unlike the images of one class another image is: scores fitted to normal images alone.

A `Detector`: `fit(rows)` learns from normal images and returns the detector, `score(rows)` returns (N,)
float64, the higher the more anomalous. Rows are (N, D) float32: pixels or codes. No score takes a label, and
nothing is fitted when it scores.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import OneClassSVM

from cae.core.arrays import Images, Labels, Rows, Scores
from cae.core.errors import UserError
from cae.metrics import quality
from cae.metrics.baselines import PrincipalComponents

if TYPE_CHECKING:
    from cae.networks.autoencoder import Autoencoder

# Common choices, not tuned: the share of training images that may lie outside, and the trees of a forest.
NU = 0.1
TREES = 100
# The logarithm of a distance of 0, an exact copy of a known image, would be infinite.
LEAST = 1e-12


class Detector(Protocol):
    """What every detector can do."""

    def fit(self, rows: Rows) -> Self:
        """Learn from normal rows."""

    def score(self, rows: Rows) -> Scores:
        """(N, D) → (N,) float64, the higher the more anomalous."""


class NearestDetector:
    """Mean Euclidean distance to the nearest normal rows; `fit` raises ValueError if there are too few."""

    def __init__(self, neighbours: int) -> None:
        self.model = NearestNeighbors(n_neighbors=neighbours, algorithm="brute")

    def fit(self, rows: Rows) -> Self:
        """Remember the rows."""
        if len(rows) < self.model.n_neighbors:
            raise ValueError(f"{len(rows)} rows, but {self.model.n_neighbors} neighbours are asked for")
        self.model.fit(rows)
        return self

    def score(self, rows: Rows) -> Scores:
        """Average the distances."""
        distances, _ = self.model.kneighbors(rows)
        return distances.mean(axis=1, dtype=np.float64)


class MahalanobisDetector:
    """Squared distance to the mean, (x − μ)ᵀ Σ⁻¹ (x − μ), Σ shrunk as Ledoit and Wolf (2004) have it."""

    def __init__(self) -> None:
        self.model = LedoitWolf()

    def fit(self, rows: Rows) -> Self:
        """Estimate μ and Σ."""
        # float64: a covariance is a difference of large sums.
        self.model.fit(rows.astype(np.float64))
        return self

    def score(self, rows: Rows) -> Scores:
        """Measure the distances."""
        return self.model.mahalanobis(rows.astype(np.float64))


class PcaDetector:
    """Mean squared error of the reconstruction from principal components, fitted to normal rows."""

    def __init__(self, components: int) -> None:
        self.model = PrincipalComponents(components)

    def fit(self, rows: Rows) -> Self:
        """Find the directions of greatest variance."""
        self.model.fit(rows)
        return self

    def score(self, rows: Rows) -> Scores:
        """Measure what the components lose."""
        return np.square(rows - self.model.reconstruct(rows), dtype=np.float64).mean(axis=1)


class EstimatorDetector:
    """Any scikit-learn estimator whose `score_samples` is the higher the more normal a row is."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, rows: Rows) -> Self:
        """Fit the estimator."""
        self.model.fit(rows)
        return self

    def score(self, rows: Rows) -> Scores:
        """Turn normality round."""
        return -np.asarray(self.model.score_samples(rows), np.float64)


class ScoreSum:
    """Several scores in one: Σ (ln s − μ) / σ, with the mean and deviation of ln s on normal images.

    The images must be others than those the scores were fitted to: a row is its own nearest neighbour.
    """

    def fit(self, scores: Mapping[str, Scores]) -> Self:
        """Learn μ and σ of every score, each (N,) ≥ 0."""
        logarithms = {name: logarithm(values) for name, values in scores.items()}
        # A score that is the same for every normal image has no scale: it counts as it is.
        self.scales = {name: (ln.mean(), ln.std() or 1.0) for name, ln in logarithms.items()}
        return self

    def score(self, scores: Mapping[str, Scores]) -> Scores:
        """Add up the scores that were fitted; others in `scores` do not count."""
        parts = [(logarithm(scores[name]) - mean) / sd for name, (mean, sd) in self.scales.items()]
        return np.sum(parts, axis=0)


class CodeDetector:
    """What a trained autoencoder says of an image, by the names of its scores.

    `reconstruction_error`: mean over the squares of the pixels' errors; nothing is fitted but the network.
    `code_nearest`, `code_mahalanobis`: distances of the square roots of a code to those of normal images.
    Of a code of ReLU units a few large values would else decide every distance.
    `small_nearest`: nearest neighbours among pictures of half the size, which forgive a shift by a pixel;
    no network needed.
    `combined`: the `ScoreSum` of these three distances.
    """

    def __init__(self, autoencoder: "Autoencoder", neighbours: int) -> None:
        self.autoencoder = autoencoder
        self.detectors: dict[str, Detector] = {
            "code_nearest": NearestDetector(neighbours),
            "code_mahalanobis": MahalanobisDetector(),
            "small_nearest": NearestDetector(neighbours),
        }
        self.sum = ScoreSum()

    def fit(self, images: Images, held_out: Images) -> Self:
        """Fit the distances to the images the network was trained on, their sum to the held-out ones."""
        rows, _ = self.look(images)
        for name, detector in self.detectors.items():
            detector.fit(rows[name])
        self.sum.fit(self.distances(self.look(held_out)[0]))
        return self

    def scores(self, images: Images) -> dict[str, Scores]:
        """Return every score by its name, each (N,) float64."""
        rows, reconstructions = self.look(images)
        distances = self.distances(rows)
        return {
            "reconstruction_error": quality.mse(images, reconstructions),
            **distances,
            "combined": self.sum.score(distances),
        }

    def look(self, images: Images) -> tuple[dict[str, Rows], Images]:
        """Return the rows that each detector sees, and the reconstructions."""
        from cae.networks.autoencoder import predict  # loads TensorFlow, which no other detector needs

        codes = predict(self.autoencoder.encoder, images)
        reconstructions = predict(self.autoencoder.decoder, codes)
        roots = np.sqrt(codes.reshape(len(codes), -1))
        rows = {"code_nearest": roots, "code_mahalanobis": roots, "small_nearest": halve(images)}
        return rows, reconstructions

    def distances(self, rows: Mapping[str, Rows]) -> dict[str, Scores]:
        """Score each detector's rows."""
        return {name: detector.score(rows[name]) for name, detector in self.detectors.items()}


def build_baseline_detectors(neighbours: int, components: int) -> dict[str, Detector]:
    """Make the detectors that a network has to beat and that need no seed; their rows are pixels."""
    return {
        "pca_error": PcaDetector(components),
        "nearest": NearestDetector(neighbours),
        "one_class_svm": EstimatorDetector(OneClassSVM(nu=NU, gamma="scale", cache_size=500)),
    }


def build_isolation_forest(seed: int) -> Detector:
    """Make an isolation forest (Liu et al. 2008), grown from `seed`; its rows are pixels."""
    return EstimatorDetector(IsolationForest(n_estimators=TREES, random_state=seed))


def logarithm(scores: Scores) -> Scores:
    """Return ln s for scores s ≥ 0."""
    return np.log(np.maximum(scores, LEAST))


def flatten(images: Images) -> Rows:
    """(N, H, W, 1) → one row of pixels an image."""
    return np.ascontiguousarray(images, np.float32).reshape(len(images), -1)


def halve(images: Images) -> Rows:
    """Average squares of 2 × 2 pixels: (N, H, W, 1) → one row of H/2 · W/2 numbers an image."""
    height, width = images.shape[1] // 2, images.shape[2] // 2
    return images.reshape(len(images), height, 2, width, 2).mean(axis=(2, 4)).reshape(len(images), -1)


def of_class(parts: list[tuple[Images, Labels]], label: int) -> Images:
    """Take the images of one class out of several splits, in their order."""
    return np.concatenate([images[np.flatnonzero(labels == label)] for images, labels in parts])


def check_test_labels(labels: Labels, label: int, class_name: str) -> None:
    """Refuse a test split on which no rate of detection can be measured.

    Raises:
        UserError: it is empty, or holds only normal or only anomalous images.
    """
    if len(labels) == 0:
        raise UserError("the test split has no images: raise prepare.test in params.yaml")
    normal = int((labels == label).sum())
    if normal in (0, len(labels)):
        raise UserError(
            f"{normal} of {len(labels)} test images are {class_name}, but both normal and other "
            "images are needed: raise prepare.test in params.yaml or check the labels of the images"
        )


def measure_detection(scores: Scores, anomalous: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Say how well scores tell anomalous images from normal ones; both kinds are needed.

    `auroc`: the share of pairs, one of each kind, in which the anomalous image scores higher, equal scores
    counting half. `average_precision`: Σ (R_n − R_{n−1})·P_n with anomalies as positives; chance gives
    their share.
    """
    return {
        "auroc": float(roc_auc_score(anomalous, scores)),
        "average_precision": float(average_precision_score(anomalous, scores)),
    }
