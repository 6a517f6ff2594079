"""Noise that a network is to take away again: worse images made of good ones.

The same generator in the same state draws the same noise, whoever asks: methods can be compared on it.
"""

import numpy as np
import numpy.typing as npt

from cae.ground.arrays import Images
from cae.ground.params import Noise

CLEAN = Noise(kind="none", strength=0.0)
Strengths = npt.NDArray[np.float32]
"""One number for all images, or one for each: (..., 1, 1, 1)."""


def added(images: Images, noise: Noise, generator: np.random.Generator) -> Images:
    """Return noisy images in [0, 1], of the shape (..., H, W, C) and dtype of the clean ones.

    Strength is the standard deviation for "gaussian", the share of pixels for "salt_and_pepper" and the
    square's side as a share of the image's for "squares". "mixed" draws for each image one of these kinds,
    and its strength evenly from 0 to the one given.
    """
    if noise.kind == "none":
        return images
    if noise.kind != "mixed":
        return KINDS[noise.kind](images, np.array(noise.strength, np.float32), generator)
    each = (*images.shape[:-3], 1, 1, 1)
    kinds = generator.integers(0, len(KINDS), each)
    strengths = generator.uniform(0, noise.strength, each).astype(np.float32)
    noisy = [add(images, strengths, generator) for add in KINDS.values()]
    return np.select([kinds == index for index in range(len(KINDS))], noisy)


def gaussian(images: Images, deviations: Strengths, generator: np.random.Generator) -> Images:
    """Add normal noise to every pixel and clip what leaves [0, 1]: half of the noise on black is lost."""
    return np.clip(images + deviations * generator.standard_normal(images.shape, np.float32), 0, 1)


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
