"""Defects drawn at random into normal images, for networks that learn to find them.

A defect has the shape of smooth random noise above a level, in a random place, size and direction, with a
sharp or a soft edge. In it, an image is brighter or darker, noisy, blurred, shifted, or another image: the
idea of DRAEM (Zavrtanik et al. 2021, https://arxiv.org/abs/2108.07610). The kinds are general: none is taken
from the images that a study tests on.

Only operations that IEEE 754 defines exactly are used, so the bytes are the same on every machine.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core.arrays import Images

# Share of images without a defect.
SHARE_WITHOUT_DEFECT = 0.25
# Change of the grey value, brighter or darker.
LEAST_CONTRAST, MOST_CONTRAST = 0.03, 0.4
# Size of a defect, as a share of the image.
LEAST_AREA, MOST_AREA = 0.01, 0.2
# Wavelengths of the noise in pixels, and points of its lattice on a side.
LEAST_WAVE, MOST_WAVE = 2, 20
LATTICE = 64
# What an image becomes inside of a defect, and how many of ten defects do.
CONTENTS = ("contrast",) * 6 + ("other", "shifted", "noisy", "blurred")
SHIFT, BLUR = 6, 2
# A pixel is a part of the defect where the shape is at least so strong and the content so different, or where
# the image changes by more.
MARKED_SHAPE, MARKED_CONTENT, MARKED_CHANGE = 0.3, 0.01, 0.02
# Finer steps of grey values than those of 12 bits are no steps.
MOST_LEVELS = 4096
# Images that these steps are looked for in.
MOST_COMPARED = 8
Values = npt.NDArray[np.float32]


class DefectiveImages(NamedTuple):
    """Images with defects, and where these are."""

    images: Images
    masks: Values  # (..., H, W, 1), 1 in a defect, else 0


def draw_defects(images: Images, generator: np.random.Generator) -> DefectiveImages:
    """Draw a defect into three of four images (..., H, W, C), in [0, 1]."""
    flat = images.reshape(-1, *images.shape[-3:])
    contents = replace_content(flat, generator)
    shapes = draw_shapes(len(flat), images.shape[-3], images.shape[-2], generator)[..., np.newaxis]
    shapes[generator.random(len(flat)) < SHARE_WITHOUT_DEFECT] = 0
    changed = round_to_levels(np.clip(flat + shapes * (contents - flat), 0, 1), find_levels(flat))
    change, difference = (np.abs(other - flat).max(axis=-1, keepdims=True) for other in (changed, contents))
    marked = (shapes > MARKED_SHAPE) & (difference > MARKED_CONTENT) | (change > MARKED_CHANGE)
    # Rounding changes no pixel outside of the shape.
    changed = np.where(shapes > 0, changed, flat)
    masks = (marked & (shapes > 0)).astype(np.float32)
    return DefectiveImages(changed.reshape(images.shape), masks.reshape(*images.shape[:-1], 1))


def replace_content(images: Images, generator: np.random.Generator) -> Images:
    """Return what images (N, H, W, C) become inside of a defect."""
    count = len(images)
    kinds = np.array(CONTENTS)[generator.integers(0, len(CONTENTS), count)]
    signs = generator.choice(np.array([-1, 1], np.float32), count)
    # Small contrasts are drawn more often.
    share = generator.random(count, np.float32) ** 2
    contrasts = signs * (LEAST_CONTRAST + np.float32(MOST_CONTRAST - LEAST_CONTRAST) * share)
    contrasts = contrasts[:, np.newaxis, np.newaxis, np.newaxis]
    noise = generator.random(images.shape, np.float32) * 4 - 2
    others = generator.permutation(count)
    offsets = generator.integers(-SHIFT, SHIFT + 1, (count, 2))
    contents = images + contrasts
    for index in np.flatnonzero(kinds == "shifted").tolist():
        contents[index] = np.roll(images[index], offsets[index].tolist(), (0, 1))
    contents = np.where(find_kind(kinds, "other"), images[others], contents)
    contents = np.where(find_kind(kinds, "noisy"), images + contrasts * noise, contents)
    return np.where(find_kind(kinds, "blurred"), blur(images), contents)


def find_kind(kinds: npt.NDArray[np.str_], kind: str) -> npt.NDArray[np.bool_]:
    """Return which images are of a kind, (N, 1, 1, 1)."""
    return (kinds == kind)[:, np.newaxis, np.newaxis, np.newaxis]


def blur(images: Images) -> Images:
    """Average squares of 5 × 5 pixels; edges are mirrored."""
    width = 2 * BLUR + 1
    for axis in (1, 2):
        padding = [(BLUR, BLUR) if place == axis else (0, 0) for place in range(4)]
        padded = np.pad(images, padding, mode="reflect")
        length = images.shape[axis]
        total = np.zeros_like(images)
        for start in range(width):
            total += padded.take(range(start, start + length), axis)
        images = total / np.float32(width)
    return images


def draw_shapes(count: int, height: int, width: int, generator: np.random.Generator) -> Values:
    """Draw shapes (N, H, W) from 0, outside of a defect, to 1, inside."""
    noise = draw_smooth_noise(count, height, width, generator)
    side = min(height, width)
    centres = generator.uniform(0.07, 0.93, (2, count, 1, 1)) * [[[[height]]], [[[width]]]]
    radii = generator.uniform(0.1, 0.57, (count, 1, 1)) * side
    rows, columns = np.indices((height, width))
    # One region of the noise, around the centre.
    near = (rows - centres[0]) ** 2 + (columns - centres[1]) ** 2 < radii**2
    noise = np.where(near, noise, np.float32(-1))
    areas = LEAST_AREA + (MOST_AREA - LEAST_AREA) * generator.random(count) ** 2
    ranked = np.sort(noise.reshape(count, -1), axis=1)
    ranks = (height * width * (1 - areas)).astype(np.int64)
    levels = ranked[np.arange(count), ranks][:, np.newaxis, np.newaxis]
    tops = ranked[:, -1][:, np.newaxis, np.newaxis]
    soft = np.clip(generator.random((count, 1, 1), np.float32) * (tops - levels), np.float32(0.02), None)
    return np.clip((noise - levels) / soft, 0, 1)


def draw_smooth_noise(count: int, height: int, width: int, generator: np.random.Generator) -> Values:
    """Draw smooth noise (N, H, W) in [−1, 1]: lattices, turned and stretched, linear between points."""
    points = generator.random((count, LATTICE, LATTICE), np.float32) * 2 - 1
    direction = generator.uniform(-1, 1, (2, count, 1, 1))
    down, across = direction / np.sqrt((direction**2).sum(axis=0) + 1e-9)
    # The lattice has to cover the diagonal.
    least = max(LEAST_WAVE, (height + width) / (LATTICE - 4))
    waves = least + max(0, MOST_WAVE - least) * generator.random((2, count, 1, 1)) ** 2
    rows, columns = np.indices((height, width)) - np.array([[[height]], [[width]]]) / 2
    shifts = LATTICE / 2 - 1 + generator.random((2, count, 1, 1))
    places = np.stack([down * rows + across * columns, down * columns - across * rows]) / waves + shifts
    corners = np.floor(places).astype(np.int64)
    (top, left), (y, x) = corners, (places - corners).astype(np.float32)
    index = np.arange(count)[:, np.newaxis, np.newaxis]
    upper = (1 - x) * points[index, top, left] + x * points[index, top, left + 1]
    lower = (1 - x) * points[index, top + 1, left] + x * points[index, top + 1, left + 1]
    return (1 - y) * upper + y * lower


def find_levels(images: Images) -> int | None:
    """Return how many steps grey values have from 0 to 1, such as 255; None for values without steps."""
    # One image may be black and white.
    steps = np.diff(np.unique(images[:MOST_COMPARED]))
    if not len(steps):
        return None
    levels = int(np.rint(1 / steps.min()))
    return levels if levels < MOST_LEVELS else None


def round_to_levels(images: Images, levels: int | None) -> Images:
    """Round images to steps, so that a defect is not told by grey values that no camera gives."""
    return images if levels is None else np.rint(images * np.float32(levels)) / np.float32(levels)
