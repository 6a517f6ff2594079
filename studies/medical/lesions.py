"""Drawn lesions: soft-edged ellipses in one slice, brighter or darker than the brain."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from studies.medical.brain import Mask
from studies.medical.settings import Lesions


class Lesion(NamedTuple):
    """An ellipse: its centre in pixels of the tile, radii in mm, angle in degrees, and change in HU."""

    row: int
    column: int
    radius: float
    other_radius: float
    angle: float
    change: float


def draw_lesion(brain: Mask, settings: Lesions, generator: np.random.Generator) -> Lesion:
    """Draw a lesion whose centre is brain, in the middle half of a tile (side, side)."""
    quarter = len(brain) // 4
    centres = quarter + np.argwhere(brain[quarter:-quarter, quarter:-quarter])
    row, column = centres[generator.integers(len(centres))].tolist()
    radius, other_radius = generator.uniform(*settings.radii, 2).tolist()
    angle = float(generator.uniform(0, 180))
    low, high = settings.changes[generator.integers(len(settings.changes))]
    return Lesion(row, column, radius, other_radius, angle, float(generator.uniform(low, high)))


def compute_change(
    lesion: Lesion, brain: Mask, softness: float, spacing: tuple[float, float]
) -> npt.NDArray[np.int16]:
    """Return what a lesion adds to each pixel (side, side), in whole HU; 0 outside the brain.

    It fades out over the last `softness` of the radius. `spacing` is that of rows and columns, in mm.
    """
    rows, columns = np.indices(brain.shape)
    down, across = (rows - lesion.row) * spacing[0], (columns - lesion.column) * spacing[1]
    sine, cosine = math.sin(math.radians(lesion.angle)), math.cos(math.radians(lesion.angle))
    along, beside = cosine * across + sine * down, cosine * down - sine * across
    # 0 at the centre, 1 at the edge.
    distance = np.sqrt((along / lesion.radius) ** 2 + (beside / lesion.other_radius) ** 2)
    height = np.clip((1 - distance) / softness, 0, 1)
    smooth = height * height * (3 - 2 * height)
    return np.rint(lesion.change * smooth * brain).astype(np.int16)
