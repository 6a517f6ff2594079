"""Tables of what detectors say: by class, and of every picture."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from cae.core.arrays import Scores
from cae.core.words import make_printable
from cae.datasets.prepared import Listed
from cae.metrics.thresholds import Threshold
from own.detectors import OURS
from own.judging import Judged

NAMELESS = "pictures"


def said(threshold: Threshold | None) -> dict[str, float]:
    """Name the threshold and what rate of false alarms it promises, with its interval."""
    if threshold is None:
        return {}
    return {
        "threshold": threshold.value,
        "expected": threshold.false_alarms,
        "expected_low": threshold.low,
        "expected_high": threshold.high,
    }


def class_of(picture: Listed) -> str:
    """Name the class of a picture, in a text that any file can hold."""
    return NAMELESS if picture.label is None else make_printable(picture.label)


def normal_classes(listed: Sequence[Listed]) -> set[str]:
    """Name the classes that are learned."""
    return {class_of(picture) for picture in listed if picture.normal}


def grouped(scores: Scores, listed: Sequence[Listed]) -> dict[str, Scores]:
    """Sort scores by the classes of their pictures, normal ones first."""
    classes = np.array([class_of(picture) for picture in listed])
    normal = normal_classes(listed)
    names = sorted(set(classes.tolist()), key=lambda name: (name not in normal, name))
    return {name: scores[classes == name] for name in names}


def by_class(scores: Mapping[str, Scores], ours: Judged, listed: Sequence[Listed]) -> pd.DataFrame:
    """Tabulate each class: how many pictures, the AUROC of every method, the share above our threshold."""
    alarms = None if ours.alarms is None else grouped(ours.alarms.astype(np.float64), listed)
    by_method = {name: grouped(values, listed) for name, values in scores.items()}
    normal = normal_classes(listed)
    rows = []
    for name, own in by_method[OURS].items():
        row: dict[str, float | str] = {"class": name, "pictures": len(own)}
        for method, classes in by_method.items():
            if normal and name not in normal:
                usual = np.concatenate([classes[other] for other in sorted(normal)])
                odd = np.arange(len(usual) + len(own)) >= len(usual)
                area = roc_auc_score(odd, np.concatenate([usual, classes[name]]))
                row[f"auroc {method}"] = float(area)
        if alarms is not None:
            row["alarms"] = float(alarms[name].mean())
        rows.append(row)
    return pd.DataFrame(rows)


def every_score(scores: Mapping[str, Scores], ours: Judged, listed: Sequence[Listed]) -> pd.DataFrame:
    """Tabulate every test picture: its name, class, the score of every method, and our decision."""
    table = pd.DataFrame(
        {
            "name": [make_printable(picture.name) for picture in listed],
            "class": [class_of(picture) for picture in listed],
            **scores,
        }
    )
    return table if ours.alarms is None else table.assign(anomaly=ours.alarms.astype(int))
