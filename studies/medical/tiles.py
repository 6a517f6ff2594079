"""Where tiles are cut from a scan: squares of brain, slab by slab."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from studies.medical.brain import Mask
from studies.medical.settings import PARAMS, Box, Drawing


class Tile(NamedTuple):
    """The upper left corner of a square."""

    slice: int
    row: int
    column: int

    @property
    def name(self) -> str:
        """The stem of its file."""
        return f"slice{self.slice:03}_row{self.row:03}_column{self.column:03}"

    def cut(self, volume: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
        """Return its pixels (side, side) as a view."""
        return volume[self.slice, self.row : self.row + side, self.column : self.column + side]


def list_tiles(brain: Mask, split: str, settings: Drawing) -> list[Tile]:
    """List the tiles of a split, slice by slice; training tiles may overlap.

    Raises:
        UserError: a slab is outside the scan, or there is no tile.
    """
    slabs = getattr(settings.slabs, split)
    step = min(settings.stride, settings.side) if split == "train" else settings.side
    for first, last in slabs:
        if last >= len(brain):
            raise UserError(
                f"drawing.slabs.{split} in {PARAMS} has [{first}, {last}], but the scan's slices are 0 to "
                f"{len(brain) - 1}: choose others"
            )
    tiles = [
        Tile(index, row, column)
        for first, last in slabs
        for index in range(first, last + 1)
        for row, column in choose_corners(
            brain[index], mark_allowed(index, settings.excluded, brain.shape), settings, step
        )
    ]
    if not tiles:
        raise UserError(
            f"the slices of drawing.slabs.{split} in {PARAMS} have no square of {settings.side} pixels with "
            f"a share of {settings.share:g} of brain: choose others, or lower drawing.side or drawing.share"
        )
    return tiles


def mark_allowed(index: int, excluded: Box, shape: tuple[int, ...]) -> Mask:
    """Mark the pixels of a slice that are not excluded."""
    mask = np.ones(shape[1:], bool)
    if excluded.slices[0] <= index <= excluded.slices[1]:
        (top, bottom), (left, right) = excluded.rows, excluded.columns
        mask[top : bottom + 1, left : right + 1] = False
    return mask


def choose_corners(brain: Mask, allowed: Mask, settings: Drawing, step: int) -> Iterator[tuple[int, int]]:
    """Choose corners from the top left on, each at least `step` pixels down or across from the others."""
    side = settings.side
    free = (count_in_squares(brain, side) >= settings.share * side**2) & (
        count_in_squares(allowed, side) == side**2
    )
    for row, column in np.argwhere(free).tolist():
        if free[row, column]:
            free[max(0, row - step + 1) : row + step, max(0, column - step + 1) : column + step] = False
            yield row, column


def count_in_squares(mask: Mask, side: int) -> npt.NDArray[np.int64]:
    """Count the true pixels of every square of this side, by its upper left corner."""
    table = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
