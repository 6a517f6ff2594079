"""Noise that a network is to take away again: worse images made of good ones.

The same generator in the same state draws the same noise, whoever asks: methods can be compared on it.
"""

import numpy as np

from cae.ground.arrays import Images
from cae.ground.params import Noise


def added(images: Images, noise: Noise, generator: np.random.Generator) -> Images:
    """Return noisy images in [0, 1], of the shape (..., H, W, C) and dtype of the clean ones.

    Strength is the standard deviation for "gaussian", the share of pixels for "salt_and_pepper" and the
    square's side as a share of the image's for "squares".
    """
    match noise.kind:
        case "gaussian":
            return gaussian(images, noise.strength, generator)
        case "salt_and_pepper":
            return salt_and_pepper(images, noise.strength, generator)
        case "squares":
            return squares(images, noise.strength, generator)
    return images


def gaussian(images: Images, deviation: float, generator: np.random.Generator) -> Images:
    """Add normal noise to every pixel and clip what leaves [0, 1]: half of the noise on black is lost."""
    drawn = generator.standard_normal(images.shape, np.float32)
    return np.clip(images + np.float32(deviation) * drawn, 0, 1)


def salt_and_pepper(images: Images, share: float, generator: np.random.Generator) -> Images:
    """Make a share of the pixels black or white, one as likely as the other."""
    drawn = generator.random(images.shape, np.float32)
    # Below half of the share black, from there to the whole of it white.
    return np.where(drawn < share, (drawn >= share / 2).astype(np.float32), images)


def squares(images: Images, share: float, generator: np.random.Generator) -> Images:
    """Blacken one square in each image, anywhere that it fits; at least one pixel."""
    height, width = images.shape[-3:-1]
    side = max(1, round(share * min(height, width)))
    shape = images.shape[:-3]
    top = generator.integers(0, height - side + 1, shape)[..., np.newaxis]
    left = generator.integers(0, width - side + 1, shape)[..., np.newaxis]
    rows, columns = (
        (place >= first) & (place < first + side)
        for place, first in ((np.arange(height), top), (np.arange(width), left))
    )
    covered = rows[..., :, np.newaxis] & columns[..., np.newaxis, :]
    return np.where(covered[..., np.newaxis], np.float32(0), images)
