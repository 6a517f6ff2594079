"""Scale grey values as a camera or scanner stores them to float32 in [0, 1], with one channel or three."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from cae.datasets.safety import UnsupportedError, quote
from cae.datasets.samples import Pixels, Sample

Image = npt.NDArray[np.float32]
"""(H, W) or (H, W, C) in [0, 1]; 0 is black."""

# ITU-R 601, in the 65,536ths that Pillow computes with.
LUMA = np.array([19595, 38470, 7471], np.float32) / 65536


class Window(NamedTuple):
    """The values that become 0 and 1; values outside are clipped."""

    low: float
    high: float


# The window of types that have one: their full range.
FULL_RANGES = {np.dtype("uint8"): Window(0, 255), np.dtype("uint16"): Window(0, 65535)}


def apply_slope(pixels: Pixels, slope: float | None, intercept: float | None) -> Pixels:
    """Convert stored values to measured ones: float32 slope × value + intercept.

    None is a slope of 1 or an intercept of 0; if that changes nothing, pixels keep their values and type.

    Raises:
        UnsupportedError: slope or intercept is not a usable number.
    """
    factor, summand = (
        default if value is None else float(value) for value, default in ((slope, 1.0), (intercept, 0.0))
    )
    if not (math.isfinite(factor) and math.isfinite(summand) and factor):
        raise UnsupportedError(
            f"has slope {slope} and intercept {intercept}: they must be finite, and the slope not 0. Fix it."
        )
    if (factor, summand) == (1, 0):
        return pixels
    measured = pixels * np.float64(factor)
    measured += summand
    return measured.astype(np.float32)


def apply_window(sample: Sample, window: tuple[float, float] | None = None) -> Image:
    """Scale grey values to [0, 1]: (value − low) / (high − low), clipped; shape as stored.

    Args:
        sample: pixels of any type.
        window: low and high; by default the full range of uint8 and uint16, and [0, 1] for floats.

    Raises:
        UserError: a value is NaN; the pixels have another type, or floats outside [0, 1], and there is no
            window; or the window is invalid. The message names the sample.
    """
    pixels = sample.pixels
    if pixels.dtype.kind == "f" and np.isnan(pixels.min()):
        raise UserError(
            f"{quote(sample.name)} holds NaN, but every pixel must be a number. Fix it, or remove it."
        )
    low, high = check_window(window) if window else find_default_window(sample)
    # Not every integer of 32 bits or more is a float32.
    exact = np.float32 if pixels.dtype.itemsize <= 2 or pixels.dtype == np.float32 else np.float64
    scaled: npt.NDArray[Any] = pixels.astype(exact)
    scaled -= low
    scaled /= high - low
    return scaled.clip(0, 1).astype(np.float32, copy=False)


def check_window(window: tuple[float, float]) -> Window:
    """Raise UserError unless a window has two finite ends, the lower one first."""
    low, high = window
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"The window is {low:g} to {high:g}: two numbers are needed, the lower one first.")
    return Window(low, high)


def find_default_window(sample: Sample) -> Window:
    """Return the window that the type of the pixels implies; UserError if it implies none."""
    pixels = sample.pixels
    if window := FULL_RANGES.get(pixels.dtype):
        return window
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind == "f" and low >= 0 and high <= 1:
        return Window(0, 1)
    raise UserError(
        f"{quote(sample.name)} holds {pixels.dtype} from {low:g} to {high:g}: without a window, only uint8, "
        "uint16 and floats in [0, 1] are supported. Set a window: the values that become black and white."
    )


def convert_channels(image: Image, channels: int | None = None) -> Image:
    """Return an image as (H, W, C).

    Args:
        image: (H, W) or (H, W, C) with 1 or 3 channels.
        channels: 1 converts RGB to grey by the luma of ITU-R 601, as Pillow does; 3 repeats grey; None
            keeps the channels.

    Raises:
        ValueError: any other number of channels.
    """
    shaped = image if image.ndim == 3 else image[..., np.newaxis]
    if channels in (None, shaped.shape[-1]):
        return shaped
    if channels == 1:
        return (shaped @ LUMA)[..., np.newaxis].clip(0, 1)
    if channels == 3:
        return np.repeat(shaped, 3, axis=-1)
    raise ValueError(f"{shaped.shape[-1]} channels cannot be converted to {channels}")
