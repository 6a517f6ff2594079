"""How wrong a reconstruction is, place by place and in one number: the score of a picture."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from cae.core.arrays import Images
from cae.core.errors import UserError

ErrorMap = npt.NDArray[np.float32]
"""(H, W) in [0, 1]."""
# Standard deviations after which a Gaussian ends.
REACH = 3.0
# The largest spot: beyond it the weights alone are thousands of numbers.
LARGEST = 1000


def check_spot(spot: float) -> None:
    """Raise UserError unless `spot` is a number of pixels to smooth by."""
    if not 0 < spot <= LARGEST:
        raise UserError(f"the spot is {spot:g} pixels, but must be above 0 and at most {LARGEST}, such as 2")


def compute_error_map(image: Images, reconstruction: Images) -> ErrorMap:
    """Return the squared error of every pixel, the mean over channels: (H, W, C) twice → (H, W)."""
    return np.square(reconstruction - image).mean(axis=-1)


def smooth(errors: ErrorMap, spot: float | None) -> ErrorMap:
    """Average an error map around every pixel, by a Gaussian of `spot` pixels; None leaves it as it is.

    Beyond the edges the map is mirrored.
    """
    return errors if spot is None else gaussian_filter(errors, spot, mode="mirror", truncate=REACH)


def compute_score(errors: ErrorMap, spot: float | None = None) -> float:
    """Return how anomalous a picture is by its error map.

    Without `spot` the mean of all pixels, for what is wrong everywhere; with it the greatest value of the map
    smoothed by so many pixels, for what is wrong in one place.
    """
    return float(errors.mean(dtype=np.float64) if spot is None else smooth(errors, spot).max())
