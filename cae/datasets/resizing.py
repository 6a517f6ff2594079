"""Resize images, and pad them to sizes that networks give back unchanged."""

import numpy as np
import PIL.Image

from cae.datasets.intensity import Image


def resize(image: Image, height: int, width: int) -> Image:
    """Resize an image (H, W, C) to (height, width, C) with Pillow's bilinear filter, channel by channel.

    The filter widens with the scale: shrinking averages all pixels, so that no new patterns appear. The
    aspect ratio is not kept.
    """
    if image.shape[:2] == (height, width):
        return image
    channels = [
        PIL.Image.fromarray(np.ascontiguousarray(image[..., channel])).resize(
            (width, height), PIL.Image.Resampling.BILINEAR
        )
        for channel in range(image.shape[-1])
    ]
    # The filter's weights add up to 1 only nearly.
    return np.stack([np.asarray(channel) for channel in channels], axis=-1).clip(0, 1)


def pad_by_mirroring(images: Image, height: int, width: int) -> Image:
    """Pad images (…, H, W, C) to at least height × width by mirroring them at their lower and right edges.

    The edge itself is not repeated: texture continues without a border.
    """
    missing = (max(0, height - images.shape[-3]), max(0, width - images.shape[-2]))
    padding = [(0, 0)] * (images.ndim - 3) + [(0, missing[0]), (0, missing[1]), (0, 0)]
    return np.pad(images, padding, mode="reflect")


def next_valid_side(side: int) -> int:
    """Return the smallest side from `side` on that every network here gives back unchanged: 8 · n + 4.

    The default network halves a side three times, rounding up, and loses 2 pixels in its decoder.
    """
    return side + (4 - side) % 8
