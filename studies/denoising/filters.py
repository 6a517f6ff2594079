"""Filters that learned nothing: scikit-image's, each with one number for its strength.

Every filter takes images (N, H, W, 1) in [0, 1] and a strength above 0, and returns the same shape. What is
fixed but for the strength was chosen on 40 validation images: no other was better by more than 0.05 dB.
"""

from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.pool import ThreadPool

import numpy as np
import numpy.typing as npt
from skimage import filters, restoration

from cae.core.arrays import Images

Filter = Callable[[Images, float], Images]
Image = npt.NDArray[np.float32]
"""(H, W) in [0, 1]."""
# Patches of 5 × 5, compared with those up to 3 pixels away.
PATCHES = {"patch_size": 5, "patch_distance": 3, "fast_mode": True}
# Haar's wavelets and soft thresholds σ√(2 ln pixels), averaged over shifts by a pixel down and to the right.
WAVELETS = {"wavelet": "db1", "method": "VisuShrink", "mode": "soft"}
SHIFTS = 1


def applied(denoise: Filter, images: Images, strength: float) -> Images:
    """Filter images (N, H, W, 1); clip them to [0, 1]. A strength of 0 leaves them as they are."""
    return np.clip(denoise(images, strength), 0, 1).astype(np.float32) if strength else images


def gaussian(images: Images, deviation: float) -> Images:
    """Average around each pixel with normal weights; deviation in pixels."""
    return filters.gaussian(images, sigma=(0, deviation, deviation, 0))


def median(images: Images, side: float) -> Images:
    """Take the median of a square window around each pixel; side in pixels, a whole number."""
    return filters.median(images, np.ones((1, int(side), int(side), 1), bool))


def total_variation(images: Images, weight: float) -> Images:
    """Find images close by with little total variation (Chambolle 2004)."""
    return one_by_one(partial(restoration.denoise_tv_chambolle, weight=weight), images)


def nonlocal_means(images: Images, h: float) -> Images:
    """Average pixels whose surroundings look alike (Buades et al. 2005); h in grey values."""
    return one_by_one(partial(restoration.denoise_nl_means, h=h, **PATCHES), images)


def wavelet(images: Images, deviation: float) -> Images:
    """Shrink wavelet coefficients (Donoho, Johnstone 1994); deviation of the noise in grey values."""
    options = WAVELETS | {"sigma": deviation}
    spin = partial(
        restoration.cycle_spin,
        func=restoration.denoise_wavelet,
        max_shifts=SHIFTS,
        func_kw=options,
        workers=1,
    )
    return one_by_one(spin, images)


def one_by_one(denoise: Callable[[Image], Image], images: Images) -> Images:
    """Filter each image by itself, on all cores: no result depends on how many there are."""
    with ThreadPool() as pool:
        return np.stack(pool.map(denoise, images[..., 0]))[..., np.newaxis]


BY_NAME: Mapping[str, Filter] = {
    "gaussian": gaussian,
    "median": median,
    "total_variation": total_variation,
    "wavelet": wavelet,
    "nonlocal_means": nonlocal_means,
}
