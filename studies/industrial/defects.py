"""Defects: what each kind adds to the grey levels of a tile."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from studies.industrial.settings import Drawing
from studies.industrial.textures import GreyLevels

Values = npt.NDArray[np.floating[Any]]
"""(H, W), differences of grey levels or distances in pixels."""


class Defective(NamedTuple):
    """A tile with a defect."""

    tile: GreyLevels
    mask: GreyLevels  # 255 where the defect is, else 0


def draw_defect(tile: GreyLevels, kind: str, drawing: Drawing, index: int) -> Defective:
    """Draw a defect onto a tile; seed, kind and the tile's index determine it.

    Raises:
        UserError: it is not visible on this tile.
    """
    generator = np.random.default_rng((drawing.seed, list(KINDS).index(kind), index))
    change = KINDS[kind](tile, drawing, generator)
    changed = np.clip(np.rint(tile + change), 0, 255).astype(np.uint8)
    mask = np.abs(changed.astype(int) - tile) > drawing.marked
    if not mask.any():
        raise UserError(
            f"no pixel of the {kind} on tile {index} changes by more than drawing.marked, {drawing.marked}: "
            f"lower that in studies/industrial/params.yaml, or make drawing.{kind} larger or stronger"
        )
    return Defective(changed, np.where(mask, 255, 0).astype(np.uint8))


def draw_scratch(tile: GreyLevels, drawing: Drawing, generator: np.random.Generator) -> Values:
    """Draw a straight line of one contrast."""
    ranges = drawing.scratch
    along, across = draw_coordinates(tile, generator)
    length, width = generator.uniform(*ranges.length), generator.uniform(*ranges.width)
    line = (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)
    return line * draw_contrast(ranges.contrast, generator)


def draw_stain(tile: GreyLevels, drawing: Drawing, generator: np.random.Generator) -> Values:
    """Draw a two-dimensional Gaussian."""
    ranges = drawing.stain
    distance = draw_distances(tile, ranges.radius, generator)
    return np.exp(-(distance**2) / 2) * draw_contrast(ranges.contrast, generator)


def draw_hole(tile: GreyLevels, drawing: Drawing, generator: np.random.Generator) -> Values:
    """Darken an ellipse."""
    ranges = drawing.hole
    inside = draw_distances(tile, ranges.radius, generator) <= 1
    return inside * -generator.uniform(*ranges.darkness) * tile


# Their order matters: the seed of a defect holds the index of its kind.
KINDS: Mapping[str, Callable[[GreyLevels, Drawing, np.random.Generator], Values]] = {
    "scratch": draw_scratch,
    "stain": draw_stain,
    "hole": draw_hole,
}


def draw_coordinates(tile: GreyLevels, generator: np.random.Generator) -> tuple[Values, Values]:
    """Draw a centre in the middle half of a tile, and an angle; return both coordinates of every pixel."""
    size = len(tile)
    row, column = generator.uniform(size / 4, size * 3 / 4, 2)
    angle = generator.uniform(0, np.pi)
    # Coordinates of the middle of a pixel.
    down, right = np.arange(size)[:, None] + 0.5 - row, np.arange(size) + 0.5 - column
    return right * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - right * np.sin(angle)


def draw_distances(tile: GreyLevels, radius: tuple[float, float], generator: np.random.Generator) -> Values:
    """Draw an ellipse with radii in a range; return each pixel's distance from its centre, 1 on the edge."""
    along, across = draw_coordinates(tile, generator)
    first, second = generator.uniform(*radius, 2)
    return np.hypot(along / first, across / second)


def draw_contrast(contrast: tuple[float, float], generator: np.random.Generator) -> float:
    """Draw a contrast in a range, brighter or darker."""
    return float(generator.choice([-1, 1]) * generator.uniform(*contrast))
