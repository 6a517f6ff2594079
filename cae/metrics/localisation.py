"""How well error maps point at the places of defects, pixel by pixel and region by region."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label

from cae.datasets.masks import Mask
from cae.metrics.error_maps import ErrorMap

# Errors that differ by less than a millionth count as equal: pixels are counted by level, not kept.
LEVELS = 2**20
# Up to this rate of false alarms regions are counted, as Bergmann et al. do.
MOST_FALSE_ALARMS = 0.3
# Pixels that touch by an edge or a corner are one region.
NEIGHBOURS = np.ones((3, 3))


class Localisation:
    """Error maps beside the masks of their pictures, one after another: memory does not grow with them."""

    def __init__(self) -> None:
        # Of each level of error: pixels without defect, pixels of defects, and what these add to the sum of
        # overlaps, the share of their region that each is.
        self.good, self.odd, self.shares = (np.zeros(LEVELS) for _ in range(3))
        self.regions = 0

    def add(self, errors: ErrorMap, mask: Mask) -> None:
        """Count the pixels of one picture."""
        levels = np.rint(np.clip(errors, 0, 1) * np.float32(LEVELS - 1)).astype(np.int64)
        numbered, count = label(mask, NEIGHBOURS)
        of_defects, regions = levels[mask], numbered[mask]
        self.good += np.bincount(levels[~mask], minlength=LEVELS)
        self.odd += np.bincount(of_defects, minlength=LEVELS)
        shares = 1 / np.bincount(regions, minlength=1)[regions]
        self.shares += np.bincount(of_defects, weights=shares, minlength=LEVELS)
        self.regions += count

    @property
    def measurable(self) -> bool:
        """Whether there are pixels of defects and others: without both nothing can be said."""
        return bool(self.good.any() and self.odd.any())

    def pixel_auroc(self) -> float:
        """Return the share of pairs of a defect's pixel and another in which the first has the greater error.

        Pairs of equal error count half.
        """
        below = np.cumsum(self.good) - self.good / 2
        return float(self.odd @ below / (self.odd.sum() * self.good.sum()))

    def aupro(self) -> float:
        """Return the area under the mean overlap of regions, over false alarms to 0.3, in [0, 1] (AUPRO).

        For every threshold t: the false alarms are the share of the pixels without defect whose error is at
        least t, and the overlap the mean, over all regions of defects, of the share of a region's pixels with
        such an error; a small region counts as much as a large one. By chance the area is 0.15.
        Bergmann et al.: The MVTec Anomaly Detection Dataset (2021), https://doi.org/10.1007/s11263-020-01400-4.
        """
        overlap, alarms = (
            np.concatenate([[0.0], np.cumsum(counts[::-1]) / total])
            for counts, total in ((self.shares, self.regions), (self.good, self.good.sum()))
        )
        return area(alarms, overlap, MOST_FALSE_ALARMS) / MOST_FALSE_ALARMS


def area(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], end: float) -> float:
    """Return the area under straight lines between points, x rising, from 0 to `end`."""
    # The first point that is not before the end: where x stands still, y may go on.
    beyond = int(np.searchsorted(x, end))
    stop = np.interp(end, x[beyond - 1 : beyond + 1], y[beyond - 1 : beyond + 1])
    return float(np.trapezoid(np.append(y[:beyond], stop), np.append(x[:beyond], end)))
