"""Noise for denoising: noisy images made from clean ones.

A generator in the same state always draws the same noise, so that methods are compared on the same images.
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
"""One number for all images, or one per image: (..., 1, 1, 1)."""
# Size of the table of normal numbers: one for each value of 16 random bits.
QUANTILES = 1 << 16


class Noise(Section):
    """Noise on the inputs of a network, in training and in validation; the targets stay clean."""

    # mixed: one of the other kinds for each image, with a strength up to the given one
    kind: Literal["gaussian", "salt_and_pepper", "squares", "mixed"]
    # standard deviation, share of the pixels, or side of the square as a share of the image's side
    strength: Annotated[float, Field(gt=0, le=1)]


def add_noise(images: Images, noise: Noise, generator: np.random.Generator) -> Images:
    """Return noisy copies of images (..., H, W, C), in [0, 1] and of the same dtype.

    Kind "mixed" draws for each image one of the other kinds, and its strength uniformly from 0 to the given
    one.
    """
    if noise.kind != "mixed":
        return KINDS[noise.kind](images, np.array(noise.strength, np.float32), generator)
    per_image = (*images.shape[:-3], 1, 1, 1)
    kinds = generator.integers(0, len(KINDS), per_image)
    strengths = generator.uniform(0, noise.strength, per_image).astype(np.float32)
    noisy = [add(images, strengths, generator) for add in KINDS.values()]
    return np.select([kinds == index for index in range(len(KINDS))], noisy)


def add_gaussian(images: Images, deviations: Strengths, generator: np.random.Generator) -> Images:
    """Add normal noise to every pixel, and clip to [0, 1]: on black, half of the noise is lost."""
    return np.clip(images + deviations * draw_normal(images.shape, generator), 0, 1)


def add_salt_and_pepper(images: Images, shares: Strengths, generator: np.random.Generator) -> Images:
    """Set a share of the pixels to black or white, each with the same probability."""
    numbers = generator.random(images.shape, np.float32)
    # The lower half of the share turns black, the upper half white.
    return np.where(numbers < shares, (numbers >= shares / 2).astype(np.float32), images)


def add_squares(images: Images, shares: Strengths, generator: np.random.Generator) -> Images:
    """Blacken one square of at least one pixel in each image, anywhere inside it."""
    height, width, _ = images.shape[-3:]
    sides = np.maximum(1, np.rint(shares * min(height, width)).astype(np.int64))
    per_image = (*images.shape[:-3], 1, 1, 1)
    top = generator.integers(0, height - sides + 1, per_image)
    left = generator.integers(0, width - sides + 1, per_image)
    rows, columns = np.arange(height)[:, np.newaxis, np.newaxis], np.arange(width)[:, np.newaxis]
    covered = (rows >= top) & (rows < top + sides) & (columns >= left) & (columns < left + sides)
    return np.where(covered, np.float32(0), images)


KINDS = {"gaussian": add_gaussian, "salt_and_pepper": add_salt_and_pepper, "squares": add_squares}


def draw_normal(shape: tuple[int, ...], generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Draw numbers from N(0, 1), each the sum of two random entries of a table of N(0, ½).

    NumPy's normal numbers use the system's logarithm, whose last digits differ between processors.
    """
    first, second = generator.integers(0, QUANTILES, (2, *shape), np.uint16)
    return compute_normal_table()[first] + compute_normal_table()[second]


@cache
def compute_normal_table() -> npt.NDArray[np.float32]:
    """Return the quantiles of N(0, ½) at (i + ½)/65,536, which stand for equally probable intervals.

    No quantile lies so close to the middle between two float32 numbers that an error in the last digits of
    `ndtri` could change how it is rounded (tests/datasets/test_noise.py).
    """
    quantiles = ndtri((np.arange(QUANTILES) + 0.5) / QUANTILES) * np.sqrt(0.5)
    return quantiles.astype(np.float32)
