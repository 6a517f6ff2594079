"""How well error maps locate defects, by pixels and by regions."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from cae.datasets.masks import Mask
from cae.metrics.error_maps import ErrorMap

# Pixels are counted by the level of their error, so that memory does not grow with images. A level has all
# float32 with the same leading bits: as their numbers, these are in the order of the positive floats.
LEVELS, DROPPED_BITS = 2**20, 11
# The area under the curve ends at this false alarm rate, as in Bergmann et al.
MOST_FALSE_ALARMS = 0.3
# Pixels that touch by an edge or a corner belong to one region.
NEIGHBOURS = np.ones((3, 3))


class Localisation:
    """Error maps compared with the masks of their images, added one after another."""

    def __init__(self) -> None:
        # For each level of error: how many normal pixels have it, how many pixels of defects, and these
        # weighted by 1 / the size of their region.
        self.normal, self.defects, self.overlaps = (np.zeros(LEVELS) for _ in range(3))
        self.regions = 0

    def add(self, error_map: ErrorMap, mask: Mask) -> None:
        """Count the pixels of one image."""
        levels = np.abs(error_map, dtype=np.float32).view(np.uint32) >> DROPPED_BITS
        numbers, count = label(mask, NEIGHBOURS)
        defect_errors, regions = levels[mask], numbers[mask]
        self.normal += np.bincount(levels[~mask], minlength=LEVELS)
        self.defects += np.bincount(defect_errors, minlength=LEVELS)
        weights = 1 / np.bincount(regions, minlength=1)[regions]
        self.overlaps += np.bincount(defect_errors, weights=weights, minlength=LEVELS)
        self.regions += count

    @property
    def is_measurable(self) -> bool:
        """Whether there are both normal pixels and pixels of defects."""
        return bool(self.normal.any() and self.defects.any())

    def pixel_auroc(self) -> float:
        """Return the area under the ROC curve over pixels.

        That is the share of pairs of a defect's and a normal pixel in which the first has the larger error,
        with ties counted half.
        """
        below = np.cumsum(self.normal) - self.normal / 2
        return float(self.defects @ below / (self.defects.sum() * self.normal.sum()))

    def aupro(self) -> float:
        """Return the area under the per-region overlap curve up to a false alarm rate of 0.3, in [0, 1].

        For every threshold t, the false alarm rate is the share of normal pixels with an error of at least t,
        and the overlap is the mean over all regions of the share of their pixels with such an error: a small
        region counts as much as a large one. Chance gives 0.15.
        Bergmann et al.: The MVTec Anomaly Detection Dataset (2021), https://doi.org/10.1007/s11263-020-01400-4.
        """
        overlap, alarms = (
            np.concatenate([[0.0], np.cumsum(counts[::-1]) / total])
            for counts, total in ((self.overlaps, self.regions), (self.normal, self.normal.sum()))
        )
        return integrate(alarms, overlap, MOST_FALSE_ALARMS) / MOST_FALSE_ALARMS


def integrate(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], end: float) -> float:
    """Return the area under the straight lines between points, for non-decreasing x, from 0 to `end`."""
    # The first point at or after the end; x may repeat where y goes on.
    stop = int(np.searchsorted(x, end))
    last = np.interp(end, x[stop - 1 : stop + 1], y[stop - 1 : stop + 1])
    return float(np.trapezoid(np.append(y[:stop], last), np.append(x[:stop], end)))
