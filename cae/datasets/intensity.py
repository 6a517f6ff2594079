"""What grey values mean: from those of a camera or scanner to float32 in [0, 1], in one channel or three."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from cae.datasets.safety import RefusedError, quoted
from cae.datasets.samples import Picture, Pixels

Image = npt.NDArray[np.float32]
"""(H, W) or (H, W, C) in [0, 1]; 0 is black."""

# ITU-R 601, in the 65,536ths that Pillow computes with.
LUMA = np.array([19595, 38470, 7471], np.float32) / 65536


class Window(NamedTuple):
    """The grey values that become 0 and 1; what lies outside becomes 0 or 1 as well."""

    low: float
    high: float


# Without a window: all that the type can hold.
FULL = {np.dtype("uint8"): Window(0, 255), np.dtype("uint16"): Window(0, 65535)}


def rescaled(pixels: Pixels, slope: float | None, intercept: float | None) -> Pixels:
    """Turn stored values into those that a scanner measured: float32 slope × value + intercept.

    None is 1 and 0; where slope and intercept are that, the pixels stay as they are, whatever their type.

    Raises:
        RefusedError: slope or intercept are no numbers to compute with.
    """
    factor, summand = (
        default if value is None else float(value) for value, default in ((slope, 1.0), (intercept, 0.0))
    )
    if not (math.isfinite(factor) and math.isfinite(summand) and factor):
        raise RefusedError(
            f"has slope {slope} and intercept {intercept}: finite ones, no 0, are needed. Mend it."
        )
    if (factor, summand) == (1, 0):
        return pixels
    measured = pixels * np.float64(factor)
    measured += summand
    return measured.astype(np.float32)


def windowed(picture: Picture, window: tuple[float, float] | None = None) -> Image:
    """Map grey values to [0, 1]: (value − low) / (high − low), cut off at 0 and 1; shape as stored.

    Args:
        picture: of any type.
        window: the values that become 0 and 1; without it all of uint8 or uint16, and [0, 1] of floats.

    Raises:
        UserError: a value is NaN; the type is another one, or floats leave [0, 1], and no window is given; or
            the window is none. The picture is named.
    """
    pixels = picture.pixels
    if pixels.dtype.kind == "f" and np.isnan(pixels.min()):
        raise UserError(
            f"{quoted(picture.name)} holds NaN: every pixel must be a number. Mend it, or leave it out."
        )
    low, high = check_window(window) if window else own_window(picture)
    # Of 32 bits and more not every whole number is a float32.
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


def own_window(picture: Picture) -> Window:
    """Return the window that the type of a picture suggests; UserError where it suggests none."""
    pixels = picture.pixels
    if window := FULL.get(pixels.dtype):
        return window
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind == "f" and low >= 0 and high <= 1:
        return Window(0, 1)
    raise UserError(
        f"{quoted(picture.name)} holds {pixels.dtype} from {low:g} to {high:g}: without a window, only "
        "uint8, uint16 and floats in [0, 1] are read. Say by a window which values become black and white."
    )


def in_channels(image: Image, channels: int | None = None) -> Image:
    """Give an image a last axis of channels, (H, W, C), and convert it only if asked.

    Args:
        image: (H, W) or (H, W, C) with 1 or 3 channels.
        channels: 1 makes grey of colours, by the luma of ITU-R 601 as Pillow does; 3 repeats grey; None
            keeps.

    Raises:
        ValueError: another number of channels is asked for.
    """
    shaped = image if image.ndim == 3 else image[..., np.newaxis]
    if channels in (None, shaped.shape[-1]):
        return shaped
    if channels == 1:
        return (shaped @ LUMA)[..., np.newaxis].clip(0, 1)
    if channels == 3:
        return np.repeat(shaped, 3, axis=-1)
    raise ValueError(f"{channels} channels cannot be made of {shaped.shape[-1]}")
