"""What a detector says of test pictures, and how right it is."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from cae.core.arrays import Scores
from cae.datasets import resizing
from cae.datasets.masks import Mask
from cae.datasets.prepared import Listed, Prepared
from cae.datasets.preprocessing import Preprocessing
from cae.metrics import error_maps
from cae.metrics.error_maps import ErrorMap
from cae.metrics.localisation import Localisation
from cae.metrics.thresholds import Threshold
from own.detectors import Found, Reconstruct, squared_errors
from own.settings import Anomaly


class Judged(NamedTuple):
    """Test pictures as one detector sees them, in their order."""

    scores: Scores
    # How well its error maps point at defects, of pictures whose source says where these are.
    localisation: Localisation
    # None where no pictures are held out for it.
    threshold: Threshold | None

    @property
    def limit(self) -> float | None:
        """The score above which a picture is an anomaly."""
        return None if self.threshold is None else self.threshold.value

    @property
    def alarms(self) -> npt.NDArray[np.bool_] | None:
        """Whether each picture lies above the threshold."""
        return None if self.limit is None else self.scores > self.limit


def judge(
    reconstruct: Reconstruct,
    test: Prepared,
    held_out: Prepared,
    preprocessing: Preprocessing,
    chosen: Anomaly,
    masks: Iterable[Mask | None],
) -> Judged:
    """Score test pictures, and fit the threshold to normal ones that are held out, if there are any.

    Raises:
        UserError: they are too few for the rate of false alarms.
    """
    usual = squared_errors(held_out, preprocessing, reconstruct)
    normal = np.array([error_maps.compute_score(found.errors, chosen.spot) for found in usual])
    threshold = Threshold.fit(normal, chosen.false_alarms) if len(normal) else None
    scores, localisation = [], Localisation()
    for mask, found in zip(masks, squared_errors(test, preprocessing, reconstruct), strict=True):
        scores.append(error_maps.compute_score(found.errors, chosen.spot))
        if mask is not None:
            localisation.add(wrongness(found, chosen), mask)
    return Judged(np.array(scores), localisation, threshold)


def wrong(
    reconstruct: Reconstruct, test: Prepared, preprocessing: Preprocessing, chosen: Anomaly
) -> Iterator[Found]:
    """Yield each test picture, and how wrong each of its pixels is, in the size that it came in."""
    for found in squared_errors(test, preprocessing, reconstruct):
        image = resizing.resize(found.image, *found.picture.size)
        yield Found(found.picture, image, wrongness(found, chosen))


def wrongness(found: Found, chosen: Anomaly) -> ErrorMap:
    """Return the root of squared errors, smoothed where that is asked for, in the picture's own size."""
    root = np.sqrt(error_maps.smooth(found.errors, chosen.spot))
    return resizing.resize(root[..., np.newaxis], *found.picture.size)[..., 0]


def rightness(judged: Judged, pictures: Sequence[Listed]) -> dict[str, float]:
    """Measure a detector against what the test pictures are; what cannot be measured on them is left out.

    `auroc` of pictures; `pixel_auroc` and `aupro` (`Localisation.region_overlap`) where defects have masks;
    `caught`, the share of anomalies above the threshold, and `false_alarms`, that of normal pictures.
    """
    odd = np.array([not picture.normal for picture in pictures])
    measured: dict[str, float] = {}
    if odd.any() and not odd.all():
        measured["auroc"] = float(roc_auc_score(odd, judged.scores))
    if judged.localisation.is_measurable:
        measured["pixel_auroc"] = judged.localisation.pixel_auroc()
        measured["aupro"] = judged.localisation.aupro()
    if judged.alarms is not None:
        for name, kind in (("caught", odd), ("false_alarms", ~odd)):
            if kind.any():
                measured[name] = float(judged.alarms[kind].mean())
    return measured
