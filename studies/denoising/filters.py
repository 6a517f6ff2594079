"""Filters of scikit-image, each with one number for its strength.

Every filter takes images (N, H, W, 1) in [0, 1] and a strength above 0, and returns the same shape. All other
options were chosen on 40 validation images: no alternative was better by more than 0.05 dB.
"""

from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field
from skimage import filters, restoration

from cae.core.arrays import Images
from cae.core.config import Increasing, Section

Filter = Callable[[Images, float], Images]
Image = npt.NDArray[np.float32]
"""(H, W) in [0, 1]."""
Grid = Increasing[Annotated[float, Field(ge=0)]]
# Patches of 5 × 5 pixels, compared with those up to 3 pixels away.
PATCHES = {"patch_size": 5, "patch_distance": 3, "fast_mode": True}
# Haar wavelets and soft thresholds σ√(2 ln pixels), averaged over shifts by a pixel down and to the right.
WAVELETS = {"wavelet": "db1", "method": "VisuShrink", "mode": "soft"}
SHIFTS = 1


class Grids(Section):
    """The strengths of each filter, of which validation images choose one; 0 leaves an image as it is."""

    noisy: Grid
    gaussian: Grid
    median: Grid
    total_variation: Grid
    wavelet: Grid
    nonlocal_means: Grid
    wiener: Grid


def apply(denoise: Filter, images: Images, strength: float) -> Images:
    """Filter images (N, H, W, 1) and clip them to [0, 1]. A strength of 0 leaves them as they are."""
    return np.clip(denoise(images, strength), 0, 1).astype(np.float32) if strength else images


def smooth(images: Images, deviation: float) -> Images:
    """Smooth images with a Gaussian of this standard deviation in pixels."""
    return filters.gaussian(images, sigma=(0, deviation, deviation, 0))


def take_medians(images: Images, side: float) -> Images:
    """Take the median of a square window around each pixel; side in pixels, a whole number."""
    return filters.median(images, np.ones((1, int(side), int(side), 1), bool))


def reduce_total_variation(images: Images, weight: float) -> Images:
    """Find similar images with little total variation (Chambolle 2004)."""
    return filter_each(partial(restoration.denoise_tv_chambolle, weight=weight), images)


def average_similar_patches(images: Images, h: float) -> Images:
    """Average pixels with similar surroundings: non-local means (Buades et al. 2005); h in grey values."""
    return filter_each(partial(restoration.denoise_nl_means, h=h, **PATCHES), images)


def shrink_wavelets(images: Images, deviation: float) -> Images:
    """Shrink wavelet coefficients (Donoho, Johnstone 1994); deviation of the noise in grey values."""
    options = WAVELETS | {"sigma": deviation}
    spin = partial(
        restoration.cycle_spin,
        func=restoration.denoise_wavelet,
        max_shifts=SHIFTS,
        func_kw=options,
        workers=1,
    )
    return filter_each(spin, images)


def filter_each(denoise: Callable[[Image], Image], images: Images) -> Images:
    """Filter each image by itself, on all cores: no result depends on their number."""
    with ThreadPool() as pool:
        return np.stack(pool.map(denoise, images[..., 0]))[..., np.newaxis]


BY_NAME: Mapping[str, Filter] = {
    "gaussian": smooth,
    "median": take_medians,
    "total_variation": reduce_total_variation,
    "wavelet": shrink_wavelets,
    "nonlocal_means": average_similar_patches,
}
