"""Which voxels of a head CT are brain, by grey values and distances alone."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cae.core.errors import UserError
from studies.medical.inv3 import Scan
from studies.medical.settings import PATH, Brain

Mask = npt.NDArray[np.bool_]
"""(slices, rows, columns), or (rows, columns) of one slice; true where it is brain."""


def region(scan: Scan, settings: Brain) -> Mask:
    """Find the brain with the ventricles in it, less a margin.

    It is the largest connected piece of what has tissue's values after smoothing and lies a margin away from
    all that has not; holes in a slice are filled.

    Raises:
        UserError: no voxel is brain.
    """
    spacing = np.array(scan.spacing)
    smooth = ndimage.gaussian_filter(scan.volume.astype(np.float32), settings.smoothing / spacing)
    low, high = settings.tissue
    depth = ndimage.distance_transform_edt((low <= smooth) & (smooth <= high), sampling=spacing)
    pieces, count = ndimage.label(depth > settings.margin)
    if not count:
        raise UserError(
            f"no voxel lies more than {settings.margin:g} mm inside tissue of {low:g} to {high:g} HU: "
            f"widen drawing.brain.tissue or lower drawing.brain.margin in {PATH}"
        )
    largest = 1 + np.bincount(pieces.ravel())[1:].argmax()
    return np.stack([ndimage.binary_fill_holes(each) for each in pieces == largest])
