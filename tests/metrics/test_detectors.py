"""Anomaly detectors: the scores are what they say they are."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.metrics import detectors
from cae.networks.autoencoder import predict
from tests import default

SQUARE = np.array([[0, 0], [0, 2], [2, 0], [2, 2]], np.float32)


def draw_images(count: int, seed: int = 0) -> Images:
    return np.random.default_rng(seed).random((count, *default.IMAGE_SHAPE), np.float32)


def test_nearest_averages_the_distances_to_the_nearest_rows() -> None:
    # From (0, 1): two corners at distance 1, two at √5.
    detector = detectors.NearestDetector(3).fit(SQUARE)
    assert detector.score(np.array([[0, 1]], np.float32)) == pytest.approx([(1 + 1 + 5**0.5) / 3])
    with pytest.raises(ValueError, match="4 rows are too few for 5 neighbours"):
        detectors.NearestDetector(5).fit(SQUARE)


def test_mahalanobis_measures_in_standard_deviations_from_the_mean() -> None:
    rows = np.random.default_rng(0).normal([5, -5], [1, 3], (50_000, 2)).astype(np.float32)
    detector = detectors.MahalanobisDetector().fit(rows)
    # Ledoit and Wolf shrink little where rows are many: two deviations squared are 4 either way.
    scores = detector.score(np.array([[5, -5], [7, -5], [5, -11]], np.float32))
    assert scores == pytest.approx([0, 4, 4], abs=0.15)


def test_the_pca_error_is_the_distance_from_the_fitted_directions() -> None:
    line = np.linspace(0, 1, 5, dtype=np.float32)[:, None] * np.array([1, 0], np.float32)
    scores = detectors.PcaDetector(1).fit(line).score(np.array([[0.3, 0], [0.3, 0.4]], np.float32))
    assert scores == pytest.approx([0, 0.4**2 / 2], abs=1e-7)


@pytest.mark.parametrize(
    "detector",
    [*detectors.build_baseline_detectors(3, components=16).values(), detectors.build_isolation_forest(1)],
)
def test_every_baseline_scores_anomalies_higher(detector: detectors.Detector) -> None:
    generator = np.random.default_rng(0)
    normal = (0.5 + 0.02 * generator.standard_normal((200, 150))).astype(np.float32)
    anomalous = generator.random((20, 150), np.float32)
    detector.fit(normal[:180])
    assert detector.score(anomalous).min() > detector.score(normal[180:]).max()


def test_an_isolation_forest_depends_on_its_seed_alone() -> None:
    rows = detectors.flatten(draw_images(60))
    one, same, other = (detectors.build_isolation_forest(seed).fit(rows).score(rows) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_a_sum_adds_logarithms_standardised_on_normal_images() -> None:
    e = np.e
    fitted = detectors.ScoreSum().fit({"a": np.array([1.0, e**2]), "b": np.array([e, e**5])})
    # ln a has the mean 1 and the deviation 1; ln b 3 and 2.
    scores = fitted.score({"a": np.array([e**3]), "b": np.array([e**7]), "ignored": np.array([9.0])})
    assert scores == pytest.approx([2 + 2])


def test_a_sum_accepts_scores_of_0_and_scores_without_deviation() -> None:
    fitted = detectors.ScoreSum().fit({"a": np.zeros(3), "b": np.array([1.0, 2.0, 3.0])})
    assert np.isfinite(fitted.score({"a": np.array([0.0, 1.0]), "b": np.array([0.0, 1.0])})).all()


def test_halved_images_are_means_of_squares() -> None:
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    assert detectors.halve(image).tolist() == [[2.5, 4.5, 10.5, 12.5]]


@pytest.fixture(scope="module")
def detector() -> detectors.CodeDetector:
    return detectors.CodeDetector(default.autoencoder(1), 2).fit(draw_images(60), draw_images(20, seed=1))


def test_scores_of_an_image_do_not_depend_on_other_images(detector: detectors.CodeDetector) -> None:
    images = draw_images(30, seed=5)
    scores, part = detector.score(images), detector.score(images[:7])
    for name in scores:
        assert part[name] == pytest.approx(scores[name][:7], rel=1e-5), name


def test_the_reconstruction_error_is_the_mean_squared_error(detector: detectors.CodeDetector) -> None:
    images = draw_images(5)
    errors = np.square(images - predict(detector.autoencoder.network, images)).mean(axis=(1, 2, 3))
    assert detector.score(images)["reconstruction_error"] == pytest.approx(errors)


def test_measures_computed_by_hand() -> None:
    # By score: anomalous, normal, anomalous, normal. 3 of 4 pairs are in order; the precision is 1 and 2/3.
    measured = detectors.measure_detection(np.array([4.0, 3, 2, 1]), np.array([True, False, True, False]))
    assert measured == pytest.approx({"auroc": 3 / 4, "average_precision": (1 + 2 / 3) / 2})


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_share_of_pairs_in_order(scored: list[tuple[int, bool]]) -> None:
    scores, anomalous = (np.array(values) for values in zip(*scored, strict=True))
    if anomalous.all() or not anomalous.any():
        return
    pairs = [(x > y) + (x == y) / 2 for x in scores[anomalous] for y in scores[~anomalous]]
    assert detectors.measure_detection(scores, anomalous)["auroc"] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "the test split has no images: raise split.test in params.yaml"),
        ([1, 1], "2 of 2 test images are Trouser"),
        ([0, 2], "0 of 2 test images are Trouser"),
    ],
)
def test_a_test_split_that_cannot_be_measured_is_refused(labels: list[int], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        detectors.check_test_labels(np.array(labels, np.uint8), 1, "Trouser")
