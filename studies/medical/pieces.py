"""Where pictures are cut out of a scan: squares that hold brain, slab by slab."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from studies.medical.brain import Mask
from studies.medical.settings import PATH, Box, Drawing


class Piece(NamedTuple):
    """The upper left corner of a square."""

    slice: int
    row: int
    column: int

    @property
    def name(self) -> str:
        """How its file is called."""
        return f"slice{self.slice:03}_row{self.row:03}_column{self.column:03}"

    def cut(self, volume: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
        """Return its pixels (side, side) as a view."""
        return volume[self.slice, self.row : self.row + side, self.column : self.column + side]


def of_part(brain: Mask, part: str, settings: Drawing) -> list[Piece]:
    """List the pieces of a part, slice by slice; those to train on may overlap.

    Raises:
        UserError: a slab leaves the scan, or there is none.
    """
    slabs = getattr(settings.slabs, part)
    step = min(settings.stride, settings.side) if part == "train" else settings.side
    for first, last in slabs:
        if last >= len(brain):
            raise UserError(
                f"drawing.slabs.{part} in {PATH} has [{first}, {last}], and the scan's slices are 0 to "
                f"{len(brain) - 1}: choose others"
            )
    found = [
        Piece(index, row, column)
        for first, last in slabs
        for index in range(first, last + 1)
        for row, column in corners(
            brain[index], allowed(index, settings.excluded, brain.shape), settings, step
        )
    ]
    if not found:
        raise UserError(
            f"the slices of drawing.slabs.{part} in {PATH} have no square of {settings.side} pixels that is "
            f"brain to {settings.share:g}: choose others, or lower drawing.side or drawing.share"
        )
    return found


def allowed(index: int, excluded: Box, shape: tuple[int, ...]) -> Mask:
    """Mark the pixels of a slice that a piece may hold."""
    mask = np.ones(shape[1:], bool)
    if excluded.slices[0] <= index <= excluded.slices[1]:
        (top, bottom), (left, right) = excluded.rows, excluded.columns
        mask[top : bottom + 1, left : right + 1] = False
    return mask


def corners(brain: Mask, allowed: Mask, settings: Drawing, step: int) -> Iterator[tuple[int, int]]:
    """Choose corners from the top left on, each `step` pixels or more from the others, down or across."""
    side = settings.side
    free = (sums(brain, side) >= settings.share * side**2) & (sums(allowed, side) == side**2)
    for row, column in np.argwhere(free).tolist():
        if free[row, column]:
            free[max(0, row - step + 1) : row + step, max(0, column - step + 1) : column + step] = False
            yield row, column


def sums(mask: Mask, side: int) -> npt.NDArray[np.int64]:
    """Count the true pixels of every square of that side, by its corner."""
    table = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
