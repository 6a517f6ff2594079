"""The part of prepared images that is measured: normal ones, without mirrored edges, channel by channel."""

from collections.abc import Iterator

import numpy as np

from cae.core.arrays import Images, Indices
from cae.core.blocks import block_size
from cae.datasets.prepared import PreparedSplit
from stages.settings import Data


def iterate_blocks(images: Images, indices: Indices) -> Iterator[Images]:
    """Yield images of these indices in blocks that fit into memory."""
    size = block_size(*images.shape[1:3])
    for start in range(0, len(indices), size):
        yield images[indices[start : start + size]]


def iterate_channels(split: PreparedSplit, data: Data) -> Iterator[Images]:
    """Yield the normal images of a split in blocks (N, H, W, 1), one image per channel."""
    for block in iterate_blocks(split.images, split.find_normal()):
        yield separate_channels(crop(block, split, data))


def crop(images: Images, split: PreparedSplit, data: Data) -> Images:
    """Cut off edges that were added by mirroring: (N, h, w, C) → (N, H, W, C); tiles have none."""
    if data.tiles is not None or not split.samples:
        return images
    height, width = split.samples[0].preprocessed_size
    return images[:, :height, :width]


def separate_channels(images: Images) -> Images:
    """Make an image of every channel: (N, H, W, C) → (N·C, H, W, 1)."""
    if images.shape[-1] == 1:
        return images
    return np.moveaxis(images, -1, 1).reshape(-1, *images.shape[1:3], 1)
