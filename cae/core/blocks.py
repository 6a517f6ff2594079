"""Images in blocks of bounded size: memory does not grow with their number."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice

import numpy as np

from cae.core.arrays import Images

# Images in a block, and pixels: larger images come fewer at a time.
BLOCK = 500
PIXELS = BLOCK * 28 * 28


def block_size(height: int, width: int) -> int:
    """Return how many images of a size make a block: at least 1."""
    return max(1, min(BLOCK, PIXELS // (height * width)))


def stack_blocks(images: Iterable[Images]) -> Iterator[Images]:
    """Stack images (H, W, C) that come one after another into blocks (N, H, W, C), in their order.

    All images of a block have one shape: where the shape changes, a new block begins.
    """
    for shape, alike in groupby(images, lambda image: image.shape):
        while block := list(islice(alike, block_size(*shape[:2]))):
            yield np.stack(block)
