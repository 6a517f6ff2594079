"""Heights and widths: resizing, only where asked; padding to what a network closes on, and cutting back."""

import numpy as np
import PIL.Image

from cae.sources.greys import Image


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


def padded(images: Image, multiple: int) -> Image:
    """Pad images (…, H, W, C) below and on the right until height and width are multiples of `multiple`.

    What is added is the image mirrored at its edge, without the edge itself: a network sees texture go on,
        not
    a border. `cut_back` undoes it exactly.
    """
    height, width = images.shape[-3:-1]
    more = [(0, 0)] * (images.ndim - 3) + [(0, -height % multiple), (0, -width % multiple), (0, 0)]
    return np.pad(images, more, mode="reflect")


def cut_back(images: Image, height: int, width: int) -> Image:
    """Take away what `padded` added: (…, H, W, C) to (…, height, width, C)."""
    return images[..., :height, :width, :]
