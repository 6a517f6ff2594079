"""Images are detected by their scores, and measured and tabulated by class."""

import numpy as np
import pytest

from cae.core.arrays import Scores
from cae.datasets.prepared import SampleInfo
from cae.metrics import detection
from cae.metrics.detection import Detection
from cae.metrics.localisation import Localisation
from cae.metrics.thresholds import Threshold
from cae.metrics.tiled_scores import ScoredImage

SAMPLES = [
    SampleInfo(
        f"{label}/{index}", label, None, "", None, (4, 4), (4, 4), 1, (4, 4, 1), "uint8", "test", normal
    )
    for index, (label, normal) in enumerate(
        [("good", True), ("bent", False), ("good", True), ("cut", False), ("good", True), ("bent", False)]
    )
]
SCORES = np.array([0.1, 0.5, 0.2, 0.15, 0.3, 0.05])


def make_detection(scores: Scores = SCORES, threshold: float | None = 0.25) -> Detection:
    fitted = None if threshold is None else Threshold(threshold, 9, 0.1, 0.0, 0.3)
    return Detection(scores, Localisation(), fitted)


def make_image(error: float) -> ScoredImage:
    """Return an image with an error in one pixel."""
    errors = np.zeros((4, 4), np.float32)
    errors[1, 2] = error**2
    return ScoredImage("image", np.zeros((4, 4, 1), np.float32), errors, (4, 4))


def test_held_out_images_set_the_threshold_and_masks_locate_defects() -> None:
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    found = detection.detect_anomalies(
        [make_image(0.5), make_image(0.1)],
        [make_image(error) for error in (0.1, 0.2, 0.3)],
        [mask, None],
        smoothing=None,
        false_alarms=0.25,
    )
    np.testing.assert_allclose(found.scores, [0.25 / 16, 0.01 / 16], rtol=1e-6)
    assert found.threshold is not None
    assert found.threshold.value == pytest.approx(0.09 / 16)
    assert found.alarms is not None
    assert found.alarms.tolist() == [True, False]
    assert found.localisation.pixel_auroc() == 1


def test_without_held_out_images_there_is_no_threshold() -> None:
    found = detection.detect_anomalies([make_image(0.5)], [], [None], None, 0.1)
    assert (found.threshold, found.alarms) == (None, None)
    assert detection.measure(found, SAMPLES[:1]) == {}


def test_metrics_compare_scores_with_what_the_images_are() -> None:
    measured = detection.measure(make_detection(), SAMPLES)
    assert measured == pytest.approx({"auroc": 4 / 9, "caught": 1 / 3, "false_alarms": 1 / 3})
    anomalous = [sample for sample in SAMPLES if not sample.normal]
    assert set(detection.measure(make_detection(SCORES[1::2]), anomalous)) == {"caught"}


def test_tables_have_every_method_class_and_image() -> None:
    detections = {"ours": make_detection(), "other": make_detection(-SCORES, None)}
    methods = detection.tabulate_methods(detections, SAMPLES).set_index("method")
    assert methods.loc["ours", "threshold"] == 0.25
    assert methods["threshold"].isna().tolist() == [False, True]
    classes = detection.tabulate_classes(detections, SAMPLES, "ours").set_index("class")
    assert classes.index.tolist() == ["good", "bent", "cut"]
    assert classes["images"].tolist() == [3, 2, 1]
    assert classes["alarms"].tolist() == pytest.approx([1 / 3, 0.5, 0])
    np.testing.assert_allclose(classes["auroc ours"], [np.nan, 0.5, 1 / 3])
    np.testing.assert_allclose(classes["auroc other"], [np.nan, 0.5, 2 / 3])
    scores = detection.tabulate_scores(detections, SAMPLES, "ours")
    assert scores.columns.tolist() == ["name", "class", "ours", "other", "anomaly"]
    assert scores["anomaly"].tolist() == [0, 1, 0, 0, 1, 0]
    assert "anomaly" not in detection.tabulate_scores(detections, SAMPLES, "other")


def test_shares_have_intervals_of_wilson() -> None:
    table = detection.tabulate_methods({"ours": make_detection()}, SAMPLES).set_index("method").loc["ours"]
    z, n, p = 1.959964, 3, 1 / 3
    centre, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = np.array([centre - half, centre + half]) / (1 + z**2 / n)
    np.testing.assert_allclose(table[["caught_low", "caught_high"]].astype(float), expected, rtol=1e-6)
    np.testing.assert_allclose(
        table[["false_alarms_low", "false_alarms_high"]].astype(float), expected, rtol=1e-6
    )


def test_a_class_is_represented_by_its_median() -> None:
    assert detection.find_medians(SCORES, SAMPLES, 8) == [2, 5, 3]
    assert detection.find_medians(SCORES, SAMPLES, 1) == [2]
