"""The error map of an image, and its anomaly score."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from cae.core.arrays import Images
from cae.core.errors import UserError

ErrorMap = npt.NDArray[np.float32]
"""(H, W) ≥ 0."""
ErrorMaps = npt.NDArray[np.float32]
"""(N, H, W) ≥ 0."""
# Where the Gaussian is cut off, in standard deviations.
TRUNCATE = 3.0
# The largest standard deviation: the filter's weights then take thousands of numbers.
LARGEST = 1000


def check_smoothing(sigma: float) -> None:
    """Raise UserError unless `sigma` is a standard deviation to smooth by, in pixels."""
    if not 0 < sigma <= LARGEST:
        raise UserError(
            f"the smoothing is {sigma:g} pixels, but must be above 0 and at most {LARGEST}, such as 2"
        )


def compute_error_maps(images: Images, reconstructions: Images) -> ErrorMaps:
    """Return the squared error of every pixel, the mean over channels: (N, H, W, C) twice → (N, H, W)."""
    return np.square(reconstructions - images).mean(axis=-1)


def smooth(error_map: ErrorMap, sigma: float | None) -> ErrorMap:
    """Smooth an error map with a Gaussian of `sigma` pixels, mirrored beyond the edges; None keeps it."""
    return error_map if sigma is None else gaussian_filter(error_map, sigma, mode="mirror", truncate=TRUNCATE)


def compute_score(error_map: ErrorMap, sigma: float | None = None) -> float:
    """Return the anomaly score of an image from its error map.

    Without `sigma` it is the mean, for anomalies that fill the image; with it the maximum of the smoothed
    map, for small defects.
    """
    return float(error_map.mean(dtype=np.float64) if sigma is None else smooth(error_map, sigma).max())
