"""Defects: what each kind adds to the grey levels of a good piece."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from studies.industrial import settings
from studies.industrial.settings import Drawing
from studies.industrial.textures import Piece

Levels = npt.NDArray[np.floating[Any]]
"""(H, W) differences of grey levels, or distances of pixels."""


class Defective(NamedTuple):
    """A piece with a defect, and where it is."""

    piece: Piece
    mask: Piece  # 255 where the defect is, else 0


def drawn(piece: Piece, kind: str, drawing: Drawing, index: int) -> Defective:
    """Draw the defect of a kind that belongs to piece number `index`.

    Raises:
        UserError: it cannot be seen on this piece.
    """
    generator = np.random.default_rng((drawing.seed, list(KINDS).index(kind), index))
    change = KINDS[kind](piece, drawing, generator)
    changed = np.clip(np.rint(piece + change), 0, 255).astype(np.uint8)
    mask = np.abs(changed.astype(int) - piece) > drawing.marked
    if not mask.any():
        raise UserError(
            f"{settings.PATH}: no pixel of the {kind} on piece {index} changes by more than drawing.marked, "
            f"{drawing.marked}: lower that, or make drawing.{kind} larger or stronger"
        )
    return Defective(changed, np.where(mask, 255, 0).astype(np.uint8))


def scratch(piece: Piece, drawing: Drawing, generator: np.random.Generator) -> Levels:
    """Draw a straight line of one brightness."""
    ranges = drawing.scratch
    along, across = placed(piece, generator)
    length, width = generator.uniform(*ranges.length), generator.uniform(*ranges.width)
    line = (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)
    return line * signed(ranges.contrast, generator)


def stain(piece: Piece, drawing: Drawing, generator: np.random.Generator) -> Levels:
    """Draw a two-dimensional Gaussian."""
    ranges = drawing.stain
    distance = elliptic(piece, ranges.radius, generator)
    return np.exp(-(distance**2) / 2) * signed(ranges.contrast, generator)


def hole(piece: Piece, drawing: Drawing, generator: np.random.Generator) -> Levels:
    """Darken an ellipse."""
    ranges = drawing.hole
    inside = elliptic(piece, ranges.radius, generator) <= 1
    return inside * -generator.uniform(*ranges.darkness) * piece


# Their order is part of what a seed draws.
KINDS: Mapping[str, Callable[[Piece, Drawing, np.random.Generator], Levels]] = {
    "scratch": scratch,
    "stain": stain,
    "hole": hole,
}


def placed(piece: Piece, generator: np.random.Generator) -> tuple[Levels, Levels]:
    """Return coordinates of pixels in a frame turned at random, about a point in the middle half each way."""
    size = len(piece)
    row, column = generator.uniform(size / 4, size * 3 / 4, 2)
    angle = generator.uniform(0, np.pi)
    # Of the middle of a pixel.
    down, right = np.arange(size)[:, None] + 0.5 - row, np.arange(size) + 0.5 - column
    return right * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - right * np.sin(angle)


def elliptic(piece: Piece, radius: tuple[float, float], generator: np.random.Generator) -> Levels:
    """Return how far pixels are from a point, 1 at the edge of an ellipse whose radii are in a range."""
    along, across = placed(piece, generator)
    first, second = generator.uniform(*radius, 2)
    return np.hypot(along / first, across / second)


def signed(contrast: tuple[float, float], generator: np.random.Generator) -> float:
    """Draw a contrast, brighter or darker."""
    return float(generator.choice([-1, 1]) * generator.uniform(*contrast))
