"""Noise that a network is to take away again: worse images made of good ones.

The same generator in the same state draws the same noise, whoever asks: methods can be compared on it.
"""

from functools import cache
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.special import ndtri

from cae.core.arrays import Images
from cae.core.config import Section

Strengths = npt.NDArray[np.float32]
"""One number for all images, or one for each: (..., 1, 1, 1)."""
# Values that a table of normal numbers has: as many as 16 random bits tell apart.
QUANTILES = 1 << 16


class Noise(Section):
    """Noise on what a network is given, in training and in validation; what it should answer stays clean."""

    # mixed: for each image one of the other kinds, and a strength up to the one given
    kind: Literal["gaussian", "salt_and_pepper", "squares", "mixed"]
    # standard deviation, share of the pixels, side of the square as a share of the image's
    strength: Annotated[float, Field(gt=0, le=1)]


def add_noise(images: Images, noise: Noise, generator: np.random.Generator) -> Images:
    """Return noisy images in [0, 1], of the shape (..., H, W, C) and dtype of the clean ones.

    Strength is the standard deviation for "gaussian", the share of pixels for "salt_and_pepper" and the
    square's side as a share of the image's for "squares". "mixed" draws for each image one of these kinds,
    and its strength evenly from 0 to the one given.
    """
    if noise.kind != "mixed":
        return KINDS[noise.kind](images, np.array(noise.strength, np.float32), generator)
    each = (*images.shape[:-3], 1, 1, 1)
    kinds = generator.integers(0, len(KINDS), each)
    strengths = generator.uniform(0, noise.strength, each).astype(np.float32)
    noisy = [add(images, strengths, generator) for add in KINDS.values()]
    return np.select([kinds == index for index in range(len(KINDS))], noisy)


def gaussian(images: Images, deviations: Strengths, generator: np.random.Generator) -> Images:
    """Add normal noise to every pixel and clip what leaves [0, 1]: half of the noise on black is lost."""
    return np.clip(images + deviations * draw_normal(images.shape, generator), 0, 1)


def salt_and_pepper(images: Images, shares: Strengths, generator: np.random.Generator) -> Images:
    """Make a share of the pixels black or white, one as likely as the other."""
    numbers = generator.random(images.shape, np.float32)
    # Below half of the share black, from there to the whole of it white.
    return np.where(numbers < shares, (numbers >= shares / 2).astype(np.float32), images)


def squares(images: Images, shares: Strengths, generator: np.random.Generator) -> Images:
    """Blacken one square in each image, anywhere that it fits; at least one pixel."""
    height, width, _ = images.shape[-3:]
    sides = np.maximum(1, np.rint(shares * min(height, width)).astype(np.int64))
    shape = (*images.shape[:-3], 1, 1, 1)
    top = generator.integers(0, height - sides + 1, shape)
    left = generator.integers(0, width - sides + 1, shape)
    rows, columns = np.arange(height)[:, np.newaxis, np.newaxis], np.arange(width)[:, np.newaxis]
    covered = (rows >= top) & (rows < top + sides) & (columns >= left) & (columns < left + sides)
    return np.where(covered, np.float32(0), images)


KINDS = {"gaussian": gaussian, "salt_and_pepper": salt_and_pepper, "squares": squares}


def draw_normal(shape: tuple[int, ...], generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Draw from N(0, 1) the sum of two values of a table of N(0, ½), each picked by 16 random bits.

    NumPy's own normal numbers go through the logarithm of the system's library, whose last digits differ
    between processors.
    """
    first, second = generator.integers(0, QUANTILES, (2, *shape), np.uint16)
    return normal_table()[first] + normal_table()[second]


@cache
def normal_table() -> npt.NDArray[np.float32]:
    """Return the means of equally probable parts of N(0, ½), nearly: its quantiles at (i + ½)/65,536.

    No quantile lies so close to the middle between two float32 numbers that the last digits of `ndtri`
    could decide between them (tests/core/test_noise.py).
    """
    quantiles = ndtri((np.arange(QUANTILES) + 0.5) / QUANTILES) * np.sqrt(0.5)
    return quantiles.astype(np.float32)
