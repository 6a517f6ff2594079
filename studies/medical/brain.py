"""Which voxels of a head CT are brain, by grey values and distances alone."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cae.core.errors import UserError
from studies.medical.inv3 import Scan
from studies.medical.settings import PARAMS, Brain

Mask = npt.NDArray[np.bool_]
"""(slices, rows, columns), or (rows, columns) of one slice; true where there is brain."""


def find_brain(scan: Scan, settings: Brain) -> Mask:
    """Find the brain, with the ventricles and without a margin.

    It is the largest connected region of voxels that have values of tissue after smoothing and are a margin
    away from all voxels that have not; holes in a slice are filled.

    Raises:
        UserError: no voxel is brain.
    """
    spacing = np.array(scan.spacing)
    smooth = ndimage.gaussian_filter(scan.volume.astype(np.float32), settings.smoothing / spacing)
    low, high = settings.tissue
    depth = ndimage.distance_transform_edt((low <= smooth) & (smooth <= high), sampling=spacing)
    regions, count = ndimage.label(depth > settings.margin)
    if not count:
        raise UserError(
            f"no voxel lies more than {settings.margin:g} mm inside tissue of {low:g} to {high:g} HU: "
            f"widen drawing.brain.tissue or lower drawing.brain.margin in {PARAMS}"
        )
    largest = 1 + np.bincount(regions.ravel())[1:].argmax()
    return np.stack([ndimage.binary_fill_holes(each) for each in regions == largest])
