"""What a detector says of test pictures, and how right it is."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from cae.ground.arrays import Scores
from cae.measures import errors, localisation
from cae.measures.decision import Threshold
from cae.measures.errors import ErrorMap
from cae.measures.localisation import Mask
from cae.sources import sizes
from cae.sources.prepared import Listed, Prepared
from cae.sources.sight import Sight
from own.detectors import Reconstruct, error_maps
from own.settings import Anomaly


class Judged(NamedTuple):
    """Test pictures as one detector sees them, in their order."""

    scores: Scores
    # Where its source says where the defects are: how wrong each pixel is.
    maps: Sequence[ErrorMap]
    # None where no pictures are held out for it.
    threshold: Threshold | None

    @property
    def alarms(self) -> npt.NDArray[np.bool_] | None:
        """Whether each picture lies above the threshold."""
        return None if self.threshold is None else self.scores > self.threshold.value


def judge(
    reconstruct: Reconstruct,
    test: Prepared,
    held_out: Prepared,
    sight: Sight,
    chosen: Anomaly,
    masks: Sequence[Mask | None],
) -> Judged:
    """Score test pictures, and fit the threshold to normal ones that are held out, if there are any.

    Raises:
        UserError: they are too few for the rate of false alarms.
    """
    normal = [errors.score(found, chosen.spot) for _, found in error_maps(held_out, sight, reconstruct)]
    threshold = Threshold.fitted(np.array(normal), chosen.false_alarms) if normal else None
    scores, maps = [], []
    for mask, (picture, found) in zip(masks, error_maps(test, sight, reconstruct), strict=True):
        scores.append(errors.score(found, chosen.spot))
        if mask is not None:
            maps.append(wrongness(found, picture, chosen))
    return Judged(np.array(scores), maps, threshold)


def wrong(
    reconstruct: Reconstruct, test: Prepared, sight: Sight, chosen: Anomaly
) -> Iterator[tuple[Listed, ErrorMap]]:
    """Yield each test picture, and how wrong each of its pixels is."""
    for picture, found in error_maps(test, sight, reconstruct):
        yield picture, wrongness(found, picture, chosen)


def wrongness(found: ErrorMap, picture: Listed, chosen: Anomaly) -> ErrorMap:
    """Return the root of a squared error map, smoothed where that is asked for, in the picture's own size."""
    root = np.sqrt(errors.smoothed(found, chosen.spot))
    return sizes.resized(root[..., np.newaxis], *picture.size)[..., 0]


def rightness(judged: Judged, pictures: Sequence[Listed], masks: Sequence[Mask | None]) -> dict[str, float]:
    """Measure a detector against what the test pictures are; what cannot be measured on them is left out.

    `auroc` of pictures; `pixel_auroc` and `aupro` (`localisation.region_overlap`) where defects have masks;
    `caught`, the share of anomalies above the threshold, and `false_alarms`, that of normal pictures.
    """
    odd = np.array([not picture.normal for picture in pictures])
    measured: dict[str, float] = {}
    if odd.any() and not odd.all():
        measured["auroc"] = float(roc_auc_score(odd, judged.scores))
    truth = [mask for mask in masks if mask is not None]
    if any(mask.any() for mask in truth) and not all(mask.all() for mask in truth):
        measured["pixel_auroc"] = localisation.pixel_auroc(judged.maps, truth)
        measured["aupro"] = localisation.region_overlap(judged.maps, truth)
    if judged.alarms is not None:
        for name, kind in (("caught", odd), ("false_alarms", ~odd)):
            if kind.any():
                measured[name] = float(judged.alarms[kind].mean())
    return measured
