"""Heights and widths: resizing, only where asked, and padding to what a network closes on."""

import numpy as np
import PIL.Image

from cae.datasets.intensity import Image


def resized(image: Image, height: int, width: int) -> Image:
    """Resize an image (H, W, C) to (height, width, C), each channel in float32, by Pillow's bilinear filter.

    The filter widens with the scale: making an image smaller averages all of its pixels, so that no pattern
    appears that was not there. The shape is not kept: 2×4 to 2×2 squeezes.
    """
    if image.shape[:2] == (height, width):
        return image
    channels = [
        PIL.Image.fromarray(np.ascontiguousarray(image[..., channel])).resize(
            (width, height), PIL.Image.Resampling.BILINEAR
        )
        for channel in range(image.shape[-1])
    ]
    # The weights of a pixel add up to 1 only nearly.
    return np.stack([np.asarray(channel) for channel in channels], axis=-1).clip(0, 1)


def padded(images: Image, height: int, width: int) -> Image:
    """Bring images (…, H, W, C) to at least height × width by mirroring them at their lower and right edges.

    The edge itself is not repeated: a network sees texture go on, not a border.
    """
    missing = (max(0, height - images.shape[-3]), max(0, width - images.shape[-2]))
    more = [(0, 0)] * (images.ndim - 3) + [(0, missing[0]), (0, missing[1]), (0, 0)]
    return np.pad(images, more, mode="reflect")


def closing(side: int) -> int:
    """Return the least side, at least `side`, on which every network here closes: 4 more than 8 · n.

    The mission's network halves a side three times, rounding up, and takes 2 pixels off on its way back.
    """
    return side + (4 - side) % 8
