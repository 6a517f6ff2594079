"""Anomaly detectors that are fitted to normal images alone, and how well their scores tell anomalies apart.

A `Detector` has `fit(rows)`, which learns from normal rows and returns the detector, and `score(rows)`, which
returns (N,) float64: the higher, the more anomalous. Rows are (N, D) float32, pixels or codes. No detector
takes a label.
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

# Common choices, not tuned: the share of training images that may be outliers, and the trees of a forest.
NU = 0.1
TREES = 100
# Scores below are raised to it: the distance of an exact copy is 0, which has no logarithm.
SMALLEST_SCORE = 1e-12


class Detector(Protocol):
    """An anomaly detector."""

    def fit(self, rows: Rows) -> Self:
        """Learn from normal rows."""

    def score(self, rows: Rows) -> Scores:
        """(N, D) → (N,) float64, the higher, the more anomalous."""


class NearestDetector:
    """Mean Euclidean distance to the nearest normal rows; `fit` raises ValueError if there are too few."""

    def __init__(self, neighbours: int) -> None:
        self.model = NearestNeighbors(n_neighbors=neighbours, algorithm="brute")

    def fit(self, rows: Rows) -> Self:
        """Keep the rows."""
        if len(rows) < self.model.n_neighbors:
            raise ValueError(f"{len(rows)} rows are too few for {self.model.n_neighbors} neighbours")
        self.model.fit(rows)
        return self

    def score(self, rows: Rows) -> Scores:
        """Average the distances."""
        distances, _ = self.model.kneighbors(rows)
        return distances.mean(axis=1, dtype=np.float64)


class MahalanobisDetector:
    """Squared Mahalanobis distance (x − μ)ᵀ Σ⁻¹ (x − μ), with Σ shrunk as in Ledoit and Wolf (2004)."""

    def __init__(self) -> None:
        self.model = LedoitWolf()

    def fit(self, rows: Rows) -> Self:
        """Estimate μ and Σ."""
        # float64: a covariance is a difference of large sums.
        self.model.fit(rows.astype(np.float64))
        return self

    def score(self, rows: Rows) -> Scores:
        """Compute the distances."""
        return self.model.mahalanobis(rows.astype(np.float64))


class PcaDetector:
    """Mean squared error of the reconstruction by principal components of normal rows."""

    def __init__(self, components: int) -> None:
        self.components = components

    def fit(self, rows: Rows) -> Self:
        """Fit the principal components."""
        self.model = PrincipalComponents.fit(rows, self.components)
        return self

    def score(self, rows: Rows) -> Scores:
        """Compute the errors."""
        return np.square(rows - self.model.reconstruct(rows), dtype=np.float64).mean(axis=1)


class EstimatorDetector:
    """Any scikit-learn estimator with `score_samples`, which is higher for normal rows."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, rows: Rows) -> Self:
        """Fit the estimator."""
        self.model.fit(rows)
        return self

    def score(self, rows: Rows) -> Scores:
        """Change the sign of the estimator's scores."""
        return -np.asarray(self.model.score_samples(rows), np.float64)


class ScoreSum:
    """One score from several: Σ (ln s − μ) / σ, with the mean μ and deviation σ of ln s on normal images.

    Fit it to other images than the detectors: every row is its own nearest neighbour.
    """

    def fit(self, scores: Mapping[str, Scores]) -> Self:
        """Find μ and σ of every score, each (N,) ≥ 0."""
        logarithms = {name: compute_logarithm(values) for name, values in scores.items()}
        # A score that is the same for all images has a deviation of 0, which cannot divide.
        self.scales = {name: (ln.mean(), ln.std() or 1.0) for name, ln in logarithms.items()}
        return self

    def score(self, scores: Mapping[str, Scores]) -> Scores:
        """Add up the scores that were fitted, whatever else `scores` holds."""
        parts = [(compute_logarithm(scores[name]) - mean) / sd for name, (mean, sd) in self.scales.items()]
        return np.sum(parts, axis=0)


class CodeDetector:
    """The anomaly scores that a trained autoencoder gives, by name.

    `reconstruction_error`: mean squared error over pixels; only the network itself is fitted.
    `code_nearest`, `code_mahalanobis`: distances between square roots of codes. Without the roots a few large
    values of the ReLU units would decide every distance.
    `small_nearest`: nearest neighbours among images of half the size, on which a shift by a pixel matters
    less; uses no network.
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
        """Fit the distances to the network's training images, and their sum to held-out normal images."""
        rows, _ = self.compute_rows(images)
        for name, detector in self.detectors.items():
            detector.fit(rows[name])
        self.sum.fit(self.compute_distances(self.compute_rows(held_out)[0]))
        return self

    def score(self, images: Images) -> dict[str, Scores]:
        """Return every score by its name, each (N,) float64."""
        rows, reconstructions = self.compute_rows(images)
        distances = self.compute_distances(rows)
        return {
            "reconstruction_error": quality.mse(images, reconstructions),
            **distances,
            "combined": self.sum.score(distances),
        }

    def compute_rows(self, images: Images) -> tuple[dict[str, Rows], Images]:
        """Return the rows for each detector, and the reconstructions."""
        from cae.networks.autoencoder import predict  # loads TensorFlow, which no other detector needs

        codes = predict(self.autoencoder.encoder, images)
        reconstructions = predict(self.autoencoder.decoder, codes)
        roots = np.sqrt(codes.reshape(len(codes), -1))
        rows = {"code_nearest": roots, "code_mahalanobis": roots, "small_nearest": halve(images)}
        return rows, reconstructions

    def compute_distances(self, rows: Mapping[str, Rows]) -> dict[str, Scores]:
        """Score the rows of each detector."""
        return {name: detector.score(rows[name]) for name, detector in self.detectors.items()}


def build_baseline_detectors(neighbours: int, components: int) -> dict[str, Detector]:
    """Build the baselines for a network that need no seed; their rows are pixels."""
    return {
        "pca_error": PcaDetector(components),
        "nearest": NearestDetector(neighbours),
        "one_class_svm": EstimatorDetector(OneClassSVM(nu=NU, gamma="scale", cache_size=500)),
    }


def build_isolation_forest(seed: int) -> Detector:
    """Build an isolation forest (Liu et al. 2008); its rows are pixels."""
    return EstimatorDetector(IsolationForest(n_estimators=TREES, random_state=seed))


def compute_logarithm(scores: Scores) -> Scores:
    """Return ln s of scores s ≥ 0."""
    return np.log(np.maximum(scores, SMALLEST_SCORE))


def flatten(images: Images) -> Rows:
    """(N, H, W, 1) → (N, H·W) pixels."""
    return np.ascontiguousarray(images, np.float32).reshape(len(images), -1)


def halve(images: Images) -> Rows:
    """Average squares of 2 × 2 pixels: (N, H, W, 1) → (N, H/2 · W/2)."""
    height, width = images.shape[1] // 2, images.shape[2] // 2
    return images.reshape(len(images), height, 2, width, 2).mean(axis=(2, 4)).reshape(len(images), -1)


def check_test_labels(labels: Labels, label: int, class_name: str) -> None:
    """Check that anomaly detection can be measured on a test split.

    Raises:
        UserError: the split is empty, or all or none of its images are of the class `label`.
    """
    if len(labels) == 0:
        raise UserError("the test split has no images: raise split.test in params.yaml")
    normal = int((labels == label).sum())
    if normal in (0, len(labels)):
        raise UserError(
            f"{normal} of {len(labels)} test images are {class_name}, but both normal and anomalous "
            "images are needed: raise split.test in params.yaml or check the labels of the images"
        )


def measure_detection(scores: Scores, anomalous: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Measure how well scores (N,) tell anomalous images from normal ones; both kinds are needed.

    `auroc`: the share of pairs of an anomalous and a normal image in which the anomalous one scores higher;
    equal scores count half. `average_precision`: Σ (R_n − R_{n−1})·P_n with anomalies as positives; by chance
    it is the share of anomalies.
    """
    return {
        "auroc": float(roc_auc_score(anomalous, scores)),
        "average_precision": float(average_precision_score(anomalous, scores)),
    }
