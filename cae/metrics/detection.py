"""Detect anomalous test images by their scores, and measure and tabulate how well methods do it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from cae.core.arrays import Scores
from cae.core.words import make_printable
from cae.datasets.masks import Mask
from cae.datasets.prepared import SampleInfo
from cae.metrics.localisation import Localisation
from cae.metrics.thresholds import CONFIDENCE, Threshold
from cae.metrics.tiled_scores import ScoredImage, compute_scores

Value = TypeVar("Value", bound=np.generic)


class Detection(NamedTuple):
    """The scores of test images by one method, in their order, and its threshold."""

    scores: Scores
    # How well its error maps locate the defects that have masks.
    localisation: Localisation
    # None if no normal images are held out for it.
    threshold: Threshold | None

    @property
    def alarms(self) -> npt.NDArray[np.bool_] | None:
        """Which scores are above the threshold, (N,); None without a threshold."""
        return None if self.threshold is None else self.threshold.detect(self.scores)


def detect_anomalies(
    test: Iterable[ScoredImage],
    held_out: Iterable[ScoredImage],
    masks: Iterable[Mask | None],
    smoothing: float | None,
    false_alarms: float,
) -> Detection:
    """Score test images, and fit the threshold to held-out normal images, if there are any.

    Args:
        test: the test images with their errors.
        held_out: normal images that nothing was fitted to, with theirs.
        masks: the mask of each test image; None where defects are not marked.
        smoothing: as in `error_maps.compute_score`.
        false_alarms: the false alarm rate, as in `Threshold.fit`.

    Raises:
        UserError: too few images are held out for the false alarm rate.
    """
    normal = compute_scores(held_out, smoothing)
    threshold = Threshold.fit(normal, false_alarms) if len(normal) else None
    scores, localisation = [], Localisation()
    for image, mask in zip(test, masks, strict=True):
        scores.append(image.compute_score(smoothing))
        if mask is not None:
            localisation.add(image.compute_error_map(smoothing), mask)
    return Detection(np.array(scores), localisation, threshold)


def measure(detection: Detection, samples: Sequence[SampleInfo]) -> dict[str, float]:
    """Compare a detection with what the test images are; what cannot be measured on them is left out.

    Returns:
        `auroc` over images; `pixel_auroc` and `aupro` over pixels, see `Localisation`; `caught`, the share of
        anomalous images above the threshold; `false_alarms`, the share of normal images above it.
    """
    anomalous = np.array([not sample.normal for sample in samples])
    metrics: dict[str, float] = {}
    if anomalous.any() and not anomalous.all():
        metrics["auroc"] = float(roc_auc_score(anomalous, detection.scores))
    if detection.localisation.is_measurable:
        metrics["pixel_auroc"] = detection.localisation.pixel_auroc()
        metrics["aupro"] = detection.localisation.aupro()
    if detection.alarms is not None:
        for name, members in (("caught", anomalous), ("false_alarms", ~anomalous)):
            if members.any():
                metrics[name] = float(detection.alarms[members].mean())
    return metrics


def compute_intervals(detection: Detection, samples: Sequence[SampleInfo]) -> dict[str, float]:
    """Return the ends of the intervals that hold the actual shares with 95 % confidence (Wilson 1927).

    Returns:
        `caught_low`, `caught_high`, `false_alarms_low` and `false_alarms_high`, as far as there are images.
    """
    intervals: dict[str, float] = {}
    if detection.alarms is None:
        return intervals
    normal = np.array([sample.normal for sample in samples])
    for name, members in (("caught", ~normal), ("false_alarms", normal)):
        if members.any():
            counted = binomtest(int(detection.alarms[members].sum()), int(members.sum()))
            interval = counted.proportion_ci(CONFIDENCE, method="wilson")
            intervals |= {f"{name}_low": float(interval.low), f"{name}_high": float(interval.high)}
    return intervals


def tabulate_methods(detections: Mapping[str, Detection], samples: Sequence[SampleInfo]) -> pd.DataFrame:
    """Tabulate each method: its metrics, threshold, and expected false alarm rate, with intervals."""
    rows = []
    for name, detection in detections.items():
        row: dict[str, float | str] = {"method": name, **measure(detection, samples)}
        row |= compute_intervals(detection, samples)
        if detection.threshold is not None:
            row["threshold"] = detection.threshold.value
            row["expected"] = detection.threshold.false_alarms
            row["expected_low"], row["expected_high"] = detection.threshold.low, detection.threshold.high
        rows.append(row)
    return pd.DataFrame(rows)


def tabulate_classes(
    detections: Mapping[str, Detection], samples: Sequence[SampleInfo], chosen: str
) -> pd.DataFrame:
    """Tabulate each class: its images, every method's AUROC, and the share of alarms of the `chosen` one."""
    scores = {name: group_by_class(one.scores, samples) for name, one in detections.items()}
    alarms = detections[chosen].alarms
    shares = {} if alarms is None else group_by_class(alarms, samples)
    normal = find_normal_classes(samples)
    rows = []
    for name, class_scores in scores[chosen].items():
        row: dict[str, float | str] = {"class": name, "images": len(class_scores)}
        if normal and name not in normal:
            for method, classes in scores.items():
                others = np.concatenate([classes[other] for other in sorted(normal)])
                anomalous = np.arange(len(others) + len(class_scores)) >= len(others)
                area = roc_auc_score(anomalous, np.concatenate([others, classes[name]]))
                row[f"auroc {method}"] = float(area)
        if shares:
            row["alarms"] = float(shares[name].mean())
        rows.append(row)
    return pd.DataFrame(rows)


def tabulate_scores(
    detections: Mapping[str, Detection], samples: Sequence[SampleInfo], chosen: str
) -> pd.DataFrame:
    """Tabulate each test image: name, class, every method's score, and the decision of the `chosen` one."""
    table = pd.DataFrame(
        {
            "name": [make_printable(sample.name) for sample in samples],
            "class": [make_printable(sample.class_name) for sample in samples],
            **{name: detection.scores for name, detection in detections.items()},
        }
    )
    alarms = detections[chosen].alarms
    return table if alarms is None else table.assign(anomaly=alarms.astype(int))


def find_normal_classes(samples: Sequence[SampleInfo]) -> set[str]:
    """Return the names of the classes of normal images."""
    return {make_printable(sample.class_name) for sample in samples if sample.normal}


def group_by_class(
    values: npt.NDArray[Value], samples: Sequence[SampleInfo]
) -> dict[str, npt.NDArray[Value]]:
    """Group the values (N,) of images by class, normal classes first."""
    classes = np.array([make_printable(sample.class_name) for sample in samples])
    normal = find_normal_classes(samples)
    names = sorted(set(classes.tolist()), key=lambda name: (name not in normal, name))
    return {name: values[classes == name] for name in names}


def find_medians(scores: Scores, samples: Sequence[SampleInfo], count: int) -> list[int]:
    """Return for each of the first `count` classes the index of its image with the median score."""
    medians = []
    for indices in list(group_by_class(np.arange(len(samples)), samples).values())[:count]:
        order = indices[np.argsort(scores[indices], kind="stable")]
        medians.append(int(order[(len(order) - 1) // 2]))
    return medians
