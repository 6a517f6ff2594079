"""What a detector says of test pictures, and how right it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from cae.ground.arrays import Scores
from cae.ground.errors import UserError
from cae.measures import errors, localisation
from cae.measures.decision import Threshold
from cae.measures.errors import ErrorMap
from cae.measures.localisation import Mask
from cae.sources import images, sizes
from cae.sources.guards import guarded, quoted
from cae.sources.prepared import Listed, Prepared
from cae.sources.sight import Sight
from own.detectors import Reconstruct, error_maps
from own.settings import Anomaly


class Judged(NamedTuple):
    """Test pictures as one detector sees them, in their order."""

    scores: Scores
    # How wrong each pixel is, the root of its (smoothed) squared error, in the size of what came in.
    maps: Sequence[ErrorMap]
    # None where no pictures are held out for it.
    threshold: Threshold | None

    @property
    def alarms(self) -> npt.NDArray[np.bool_] | None:
        """Whether each picture lies above the threshold."""
        return None if self.threshold is None else self.scores > self.threshold.value


def judge(
    reconstruct: Reconstruct, test: Prepared, held_out: Prepared, sight: Sight, chosen: Anomaly
) -> Judged:
    """Score test pictures, and fit the threshold to normal ones that are held out, if there are any.

    Raises:
        UserError: they are too few for the rate of false alarms.
    """
    normal = [errors.score(found, chosen.spot) for _, found in error_maps(held_out, sight, reconstruct)]
    threshold = Threshold.fitted(np.array(normal), chosen.false_alarms) if normal else None
    scores, maps = [], []
    for picture, found in error_maps(test, sight, reconstruct):
        scores.append(errors.score(found, chosen.spot))
        wrong = np.sqrt(errors.smoothed(found, chosen.spot))
        maps.append(sizes.resized(wrong[..., np.newaxis], *picture.size)[..., 0])
    return Judged(np.array(scores), maps, threshold)


def rightness(judged: Judged, pictures: Sequence[Listed], masks: Sequence[Mask | None]) -> dict[str, float]:
    """Measure a detector against what the test pictures are; what cannot be measured on them is left out.

    `auroc` of pictures; `pixel_auroc` and `aupro` (`localisation.region_overlap`) where defects have masks;
    `caught`, the share of anomalies above the threshold, and `false_alarms`, that of normal pictures.
    """
    odd = np.array([not picture.normal for picture in pictures])
    measured: dict[str, float] = {}
    if odd.any() and not odd.all():
        measured["auroc"] = float(roc_auc_score(odd, judged.scores))
    known = [place for place, mask in enumerate(masks) if mask is not None]
    found, truth = [judged.maps[place] for place in known], [mask for mask in masks if mask is not None]
    if any(mask.any() for mask in truth) and not all(mask.all() for mask in truth):
        measured["pixel_auroc"] = localisation.pixel_auroc(found, truth)
        measured["aupro"] = localisation.region_overlap(found, truth)
    if judged.alarms is not None:
        for name, kind in (("caught", odd), ("false_alarms", ~odd)):
            if kind.any():
                measured[name] = float(judged.alarms[kind].mean())
    return measured


def mask_of(source: Path, picture: Listed) -> Mask | None:
    """Read where the defect of a picture is: nowhere in a normal one; None where nobody says.

    Raises:
        UserError: the mask cannot be read, or has another size than its picture.
    """
    if picture.normal:
        return np.zeros(picture.size, bool)
    if picture.mask is None:
        return None
    path = source / picture.mask
    (frame, *_) = guarded(path, images.frames(path))
    mask = frame.pixels if frame.pixels.ndim == 2 else frame.pixels.max(axis=-1)
    if mask.shape != picture.size:
        raise UserError(
            f"{quoted(path)} has {mask.shape[0]}×{mask.shape[1]} pixels, but its picture "
            f"{picture.size[0]}×{picture.size[1]}: as many are needed"
        )
    return mask > 0
