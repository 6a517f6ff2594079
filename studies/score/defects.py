"""Defects that scores are chosen by; neither networks nor other studies draw such.

The generator of the network discriminative (`cae/datasets/defects.py`) draws clouds of random noise. Here are
rectangles, discs and curves, with other contents and contrasts.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from cae.core.arrays import Images
from cae.datasets.defects import find_levels, round_to_levels

Grey = npt.NDArray[np.float32]
"""(H, W) in [0, 1]."""
Mask = npt.NDArray[np.bool_]
"""(H, W)."""
KINDS = ("paste", "flat", "spot", "curve", "blur", "displace", "noise")
# Sides of rectangles, radii of spots and half widths of curves, as shares of the side of an image.
SIDES, RADII, HALF_WIDTHS = (0.14, 0.45), (0.07, 0.29), (0.014, 0.045)
# Changes of grey values.
CONTRASTS = (0.03, 0.4)
# Where a spot or curve is at least so strong, it is a part of the defect.
VISIBLE = 0.3
# A defect that changes fewer of its pixels by a step is drawn again.
LEAST_CHANGE, LEAST_SHARE, ATTEMPTS = 0.015, 0.3, 50


class Defective(NamedTuple):
    """Images with a defect each."""

    images: Images  # (N, H, W, 1)
    masks: npt.NDArray[np.bool_]  # (N, H, W)


def draw_defects(images: Images, others: Images, kind: str, generator: np.random.Generator) -> Defective:
    """Draw a defect of a kind into each image (N, H, W, 1); `others` are what is pasted."""
    levels = find_levels(images)
    drawn = [draw_visible(image[..., 0], others[..., 0], kind, levels, generator) for image in images]
    return Defective(
        np.stack([image for image, _ in drawn])[..., np.newaxis], np.stack([mask for _, mask in drawn])
    )


def draw_visible(
    image: Grey, others: Grey, kind: str, levels: int | None, generator: np.random.Generator
) -> tuple[Grey, Mask]:
    """Draw a defect until it changes the image."""
    for _ in range(ATTEMPTS):
        content, strength = draw_defect(image, others, kind, generator)
        changed = np.clip(image + strength * (content - image), 0, 1)
        changed = round_to_levels(changed.astype(np.float32), levels)
        mask = strength > VISIBLE
        if (np.abs(changed - image)[mask] > LEAST_CHANGE).mean() > LEAST_SHARE:
            break
    return changed, mask


def draw_defect(
    image: Grey, others: Grey, kind: str, generator: np.random.Generator
) -> tuple[Grey, npt.NDArray[np.float64]]:
    """Return what the image becomes, and how strongly each pixel does, from 0 to 1."""
    side = min(image.shape)
    contrast = generator.choice([-1, 1]) * draw_log_uniform(CONTRASTS, generator)
    if kind == "spot":
        return image + contrast, draw_spot(image.shape, side, generator)
    if kind == "curve":
        return image + contrast, draw_curve(image.shape, side, generator)
    strength = draw_rectangle(image.shape, side, generator)
    offset = generator.choice([-1, 1], 2) * generator.integers(2, 6, 2)
    match kind:
        case "paste":
            content = np.roll(others[generator.integers(len(others))], offset.tolist(), (0, 1))
        case "flat":
            content = np.full_like(image, image[strength > 0].mean() + contrast / 2)
        case "blur":
            content = gaussian_filter(image, draw_log_uniform((1, 3), generator))
        case "displace":
            content = np.roll(image, offset.tolist(), (0, 1))
        case _:
            content = image + generator.normal(0, abs(contrast) / 2, image.shape)
    return content, strength


def draw_rectangle(
    shape: tuple[int, ...], side: int, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw a rectangle with sharp edges."""
    height, width = np.rint(side * generator.uniform(*SIDES, 2)).astype(int).tolist()
    top, left = (int(generator.integers(0, length - own + 1)) for length, own in zip(shape, (height, width)))
    strength = np.zeros(shape)
    strength[top : top + height, left : left + width] = 1
    return strength


def draw_spot(shape: tuple[int, ...], side: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw a disc with a soft or sharp edge."""
    rows, columns = np.indices(shape)
    centre = generator.uniform(0.18, 0.82, 2) * shape
    distance = np.hypot(rows - centre[0], columns - centre[1])
    radius = side * draw_log_uniform(RADII, generator)
    sharpness = draw_log_uniform((1, 6), generator)
    return np.clip((1 - distance / radius) * sharpness, 0, 1)


def draw_curve(shape: tuple[int, ...], side: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw a curve of Bézier with three random points."""
    points = generator.uniform(0.07, 0.93, (3, 2)) * shape
    time = np.linspace(0, 1, 4 * side)[:, np.newaxis]
    curve = (1 - time) ** 2 * points[0] + 2 * time * (1 - time) * points[1] + time**2 * points[2]
    rows, columns = np.indices(shape)
    distance = np.hypot(rows[..., np.newaxis] - curve[:, 0], columns[..., np.newaxis] - curve[:, 1]).min(
        axis=-1
    )
    return np.clip(side * generator.uniform(*HALF_WIDTHS) + 0.5 - distance, 0, 1)


def draw_log_uniform(ends: tuple[float, float], generator: np.random.Generator) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(generator.uniform(*np.log(ends))))
