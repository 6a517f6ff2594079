"""Metrics of reconstructions.

Every metric takes images and their reconstructions, both (N, H, W, 1) in [0, 1], and returns (N,) float64.
All raise ValueError if the shapes differ, an array is empty, or a value is not finite or outside [0, 1].
"""

from collections.abc import Callable, Mapping
from functools import wraps

import numpy as np
import numpy.typing as npt

from cae.core import environment
from cae.core.arrays import Images, Scores

Metric = Callable[[Images, Images], Scores]

# Keras clips predictions by this much before the logarithm. It does so in float32, where 1 − 1e-7 becomes
# 1 − 1.19e-7, which decides what a saturated wrong pixel costs.
EPSILON = 1e-7
# The PSNR of a perfect reconstruction is infinite, which JSON cannot hold. 8-bit images that differ stay far
# below 100 dB: one pixel of 784 that is off by one grey level gives 77 dB.
PSNR_CAP = 100.0
# Images per block, so that memory does not grow with their number.
BATCH = 1000


def measure(images: Images, reconstructions: Images) -> dict[str, Scores]:
    """Compute every metric of each image: bce and bce_above_floor in nats per pixel, mse, mae, psnr, ssim."""
    bce = binary_crossentropy(images, reconstructions)
    errors = mse(images, reconstructions)
    return {
        "bce": bce,
        "bce_above_floor": bce - floor(images),
        "mse": errors,
        "mae": mae(images, reconstructions),
        "psnr": psnr_from_mse(errors),
        "ssim": ssim(images, reconstructions),
    }


def average(metrics: Mapping[str, Scores]) -> dict[str, float]:
    """Average the metrics of `measure` over images, and add `psnr_of_mean_mse` behind `psnr`.

    The two PSNR differ: a mean of logarithms is not the logarithm of a mean, and papers report either.
    """
    averages: dict[str, float] = {}
    for name, values in metrics.items():
        averages[name] = float(values.mean())
        if name == "psnr":
            averages["psnr_of_mean_mse"] = float(psnr_from_mse(metrics["mse"].mean()))
    return averages


def summarise(images: Images, reconstructions: Images) -> dict[str, float]:
    """Average every metric over the images."""
    return average(measure(images, reconstructions))


def check(images: Images, reconstructions: Images) -> None:
    """Raise ValueError if images and reconstructions cannot be compared."""
    if images.shape != reconstructions.shape:
        raise ValueError(f"images have the shape {images.shape}, but reconstructions {reconstructions.shape}")
    if images.ndim != 4 or images.shape[-1] != 1 or images.size == 0:
        raise ValueError(f"images have the shape {images.shape}, but a non-empty (N, H, W, 1) is needed")
    for name, array in (("images", images), ("reconstructions", reconstructions)):
        low, high = float(array.min()), float(array.max())
        if not np.isfinite([low, high]).all():
            raise ValueError(f"{name} hold NaN or infinity")
        if low < 0 or high > 1:
            raise ValueError(f"{name} range from {low:g} to {high:g}, but must be in [0, 1]")


def per_image(metric: Metric) -> Metric:
    """Decorate a metric: arrays are checked, and computed block by block."""

    @wraps(metric)
    def compute_in_blocks(images: Images, reconstructions: Images) -> Scores:
        check(images, reconstructions)
        starts = range(0, len(images), BATCH)
        return np.concatenate([metric(images[i : i + BATCH], reconstructions[i : i + BATCH]) for i in starts])

    return compute_in_blocks


def flatten(images: Images) -> npt.NDArray[np.float64]:
    """(N, H, W, 1) → (N, H·W) float64."""
    return images.reshape(len(images), -1).astype(np.float64)


@per_image
def binary_crossentropy(images: Images, reconstructions: Images) -> Scores:
    """Return the mean over pixels of −x·ln y − (1 − x)·ln(1 − y), in nats, y clipped by 1e-7 as in Keras."""
    x, y = flatten(images), flatten(np.clip(reconstructions.astype(np.float32), EPSILON, 1 - EPSILON))
    return -(x * np.log(y) + (1 - x) * np.log1p(-y)).mean(axis=1)


def floor(images: Images) -> Scores:
    """Return the lowest possible binary cross-entropy: that of each image with itself, clipped as above.

    It is the entropy of the grey values, since cross-entropy is lowest for y = x.
    """
    return binary_crossentropy(images, images)


@per_image
def mse(images: Images, reconstructions: Images) -> Scores:
    """Return the mean squared error over pixels."""
    return np.square(flatten(images) - flatten(reconstructions)).mean(axis=1)


@per_image
def mae(images: Images, reconstructions: Images) -> Scores:
    """Return the mean absolute error over pixels."""
    return np.abs(flatten(images) - flatten(reconstructions)).mean(axis=1)


def psnr(images: Images, reconstructions: Images) -> Scores:
    """Return the peak signal-to-noise ratio in dB for a peak of 1, at most `PSNR_CAP`."""
    return psnr_from_mse(mse(images, reconstructions))


def psnr_from_mse(squared_error: npt.ArrayLike) -> Scores:
    """Return −10·log₁₀ MSE in dB, at most `PSNR_CAP`."""
    return -10 * np.log10(np.maximum(squared_error, 10 ** (-PSNR_CAP / 10)))


@per_image
def ssim(images: Images, reconstructions: Images) -> Scores:
    """Return the structural similarity in [−1, 1] (Wang et al. 2004) of images of at least 11 × 11 pixels.

    The Gaussian window has 11 × 11 pixels and σ = 1.5; K₁ = 0.01, K₂ = 0.03, data range 1. It is averaged
    over the valid region, as scikit-image does with gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False.
    """
    tf = environment.import_quietly("tensorflow")  # takes seconds, which other metrics do not need
    pair = (tf.convert_to_tensor(array, tf.float32) for array in (images, reconstructions))
    return tf.image.ssim(*pair, max_val=1.0, filter_size=11, filter_sigma=1.5).numpy().astype(np.float64)
