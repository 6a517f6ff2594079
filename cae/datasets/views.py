"""Views: random changes of an image that leave what it shows, for networks that learn to recognise them.

Only additions, products, divisions and roundings: the same bits on every processor.
"""

from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from cae.core.arrays import Images
from cae.core.config import Section

Share = Annotated[float, Field(ge=0, lt=1)]
Numbers = npt.NDArray[np.float32]
# Side of the squares that `cover` blackens.
PATCH = 4


class Views(Section):
    """How far a view may differ from its image; each change is drawn anew for each image and epoch."""

    # The least height and width of the part that is cut out and enlarged, as a share of the image's.
    crop: Annotated[float, Field(gt=0, le=1)] = 0.6
    # Degrees by which it is turned, at most, either way.
    rotation: Annotated[float, Field(ge=0, le=90)] = 10.0
    # Pixels are multiplied by a factor from 1 - brightness to 1 + brightness.
    brightness: Share = 0.3
    # Then x becomes x + k·x·(1 - x), with k from -contrast to contrast: middle grey changes, black does not.
    contrast: Share = 0.5
    # The largest height and width of a rectangle that turns black, as a share of the image's.
    erasing: Share = 0.3


class Placement(NamedTuple):
    """Where the pixels of a view lie in the image: centre + matrix · place, places from -1 to 1."""

    centre: Numbers  # (N, 2)
    matrix: Numbers  # (N, 2, 2)


def draw_view(images: Images, views: Views, draws: np.random.Generator) -> Images:
    """Return one view of each image (..., H, W, C) in [0, 1], mirrored or not, with the same shape."""
    flat = images.reshape(-1, *images.shape[-3:])
    placement = draw_placement(len(flat), views, draws)
    factor, curve = (
        draw_range(len(flat), -most, most, draws)[:, np.newaxis, np.newaxis, np.newaxis]
        for most in (views.brightness, views.contrast)
    )
    view = np.minimum(warp(flat, placement) * (1 + factor), 1)
    view += curve * view * (1 - view)
    return erase(view, views.erasing, draws).reshape(images.shape)


def draw_range(count: int, low: float, high: float, draws: np.random.Generator) -> Numbers:
    """Draw numbers (N,) uniformly from low to high."""
    return np.float32(low) + np.float32(high - low) * draws.random(count, np.float32)


def draw_placement(count: int, views: Views, draws: np.random.Generator) -> Placement:
    """Draw a crop inside the image, a rotation about its centre, and whether it is mirrored."""
    height, width = (draw_range(count, views.crop, 1, draws) for _ in range(2))
    centre = np.stack([(1 - side) * draw_range(count, -1, 1, draws) for side in (height, width)], axis=1)
    # With t = tan(angle / 2): cos = (1 - t²)/(1 + t²), sin = 2t/(1 + t²), which need no cosine.
    most = np.float32(np.tan(np.radians(views.rotation) / 2).round(6))
    t = draw_range(count, -1, 1, draws) * most
    cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    flip = np.where(draws.random(count, np.float32) < 0.5, np.float32(-1), np.float32(1))
    rows = [(height * cos, -height * sin * flip), (width * sin, width * cos * flip)]
    return Placement(centre, np.stack([np.stack(row, axis=1) for row in rows], axis=1))


def warp(images: Images, placement: Placement) -> Images:
    """Sample images (N, H, W, C) bilinearly where a placement says; outside of an image is black."""
    count, height, width, channels = images.shape
    # One black pixel around each image, at which everything outside of it is sampled.
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))).reshape(-1, channels)
    rows, columns = (compute_source(axis, placement, (height, width)) for axis in range(2))
    top, left = np.floor(rows), np.floor(columns)
    down, right = (rows - top)[..., np.newaxis], (columns - left)[..., np.newaxis]
    first = top.astype(np.int32) * (width + 2) + left.astype(np.int32)
    first += (np.arange(count, dtype=np.int32) * ((height + 2) * (width + 2)))[:, np.newaxis, np.newaxis]
    upper, lower = (
        padded[first + below] * (1 - right) + padded[first + below + 1] * right for below in (0, width + 2)
    )
    return upper * (1 - down) + lower * down


def compute_source(axis: int, placement: Placement, sides: tuple[int, int]) -> Numbers:
    """Return the row (axis 0) or column (axis 1) of the padded image at which each pixel is sampled."""
    y, x = ((2 * np.arange(side, dtype=np.float32) + 1) / side - 1 for side in sides)
    centre, matrix = placement.centre[:, axis], placement.matrix[:, axis]
    place = centre[:, np.newaxis, np.newaxis] + (matrix[:, 0, np.newaxis] * y)[:, :, np.newaxis]
    place = place + (matrix[:, 1, np.newaxis] * x)[:, np.newaxis]
    source = (place + 1) * np.float32(sides[axis] / 2) + np.float32(0.5)
    # The largest number whose next pixel is still inside of the padding.
    return np.clip(source, 0, np.nextafter(np.float32(sides[axis] + 1), np.float32(0)))


def erase(images: Images, largest: float, draws: np.random.Generator) -> Images:
    """Blacken a rectangle in each image (N, H, W, C), anywhere inside it."""
    covered = []
    for side in images.shape[1:3]:
        length = np.floor(draw_range(len(images), 0, largest, draws) * side)
        start = np.floor(draw_range(len(images), 0, 1, draws) * (side - length + 1))
        place = np.arange(side, dtype=np.float32)
        covered.append((place >= start[:, np.newaxis]) & (place < (start + length)[:, np.newaxis]))
    inside = covered[0][:, :, np.newaxis] & covered[1][:, np.newaxis]
    return np.where(inside[..., np.newaxis], np.float32(0), images)


def cover(images: Images, share: float, draws: np.random.Generator) -> Images:
    """Blacken a share of the patches of each image (..., H, W, C), squares of PATCH pixels in a grid."""
    height, width, _ = images.shape[-3:]
    rows, columns = -(-height // PATCH), -(-width // PATCH)
    numbers = draws.random((*images.shape[:-3], rows * columns), np.float32)
    # The patches with the lowest numbers: the same count in every image. Only a stable sort of NumPy is the
    # same code on every processor.
    ranks = numbers.argsort(axis=-1, kind="stable").argsort(axis=-1, kind="stable")
    covered = (ranks < round(share * rows * columns)).reshape(*images.shape[:-3], rows, columns)
    covered = covered.repeat(PATCH, axis=-2).repeat(PATCH, axis=-1)[..., :height, :width]
    return np.where(covered[..., np.newaxis], np.float32(0), images)
