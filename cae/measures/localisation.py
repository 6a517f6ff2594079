"""How well error maps point at the places of defects, pixel by pixel and region by region."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from sklearn.metrics import roc_auc_score

from cae.measures.errors import ErrorMap

Mask = npt.NDArray[np.bool_]
"""(H, W), true where the defect is."""
# Up to this rate of false alarms regions are counted, as Bergmann et al. do.
MOST_FALSE_ALARMS = 0.3
# Pixels that touch by an edge or a corner are one region.
NEIGHBOURS = np.ones((3, 3))


def pixel_auroc(maps: Sequence[ErrorMap], masks: Sequence[Mask]) -> float:
    """Return the share of pairs of a defect's pixel and another in which the first has the greater error.

    Maps and masks are of the same pictures, in pairs of one size; some pixels are a defect's, others not.
    """
    truth, errors = (np.concatenate([array.ravel() for array in arrays]) for arrays in (masks, maps))
    return float(roc_auc_score(truth, errors))


def region_overlap(maps: Sequence[ErrorMap], masks: Sequence[Mask]) -> float:
    """Return the area under the mean overlap of regions, over false alarms from 0 to 0.3, in [0, 1] (AUPRO).

    For every threshold t: the false alarms are the share of the pixels without defect whose error is at least
    t, and the overlap the mean, over all regions of defects, of the share of a region's pixels with such an
    error; a small region counts as much as a large one. By chance the area is 0.15.
    Bergmann et al.: The MVTec Anomaly Detection Dataset (2021), https://doi.org/10.1007/s11263-020-01400-4.
    """
    weights, errors = [], []
    regions = 0
    for errors_of_one, mask in zip(maps, masks, strict=True):
        numbered, count = label(mask, NEIGHBOURS)
        sizes = np.bincount(numbered.ravel(), minlength=count + 1)
        regions += count
        # What a pixel adds to the sum of overlaps; none where there is no defect.
        shares = np.where(numbered > 0, 1 / np.maximum(sizes, 1)[numbered], 0)
        weights.append(shares.ravel())
        errors.append(errors_of_one.ravel())
    weight, error = np.concatenate(weights), np.concatenate(errors)
    order = np.argsort(-error, kind="stable")
    weight, error = weight[order], error[order]
    good = weight == 0
    # Pixels of one error pass a threshold together.
    last = np.flatnonzero(np.diff(error, append=-np.inf))
    overlap = np.concatenate([[0.0], np.cumsum(weight)[last] / regions])
    alarms = np.concatenate([[0.0], np.cumsum(good)[last] / good.sum()])
    return float(area(alarms, overlap, MOST_FALSE_ALARMS) / MOST_FALSE_ALARMS)


def area(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], end: float) -> float:
    """Return the area under straight lines between points, x rising, from 0 to `end`."""
    within = x < end
    stop = np.interp(end, x, y)
    return float(np.trapezoid(np.append(y[within], stop), np.append(x[within], end)))
