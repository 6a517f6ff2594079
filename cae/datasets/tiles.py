"""Cut large images into tiles that cover all of it, and stitch tiles together, averaging overlaps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from cae.datasets.intensity import Image
from cae.datasets.resizing import pad_by_mirroring


@dataclass(frozen=True)
class Tiling:
    """Square tiles with sides of `size` pixels, `stride` pixels apart; the last of a row ends at the edge.

    Raises:
        ValueError: the stride is not in 1 to size, so tiles would leave gaps.
    """

    size: int
    stride: int

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.size:
            raise ValueError(
                f"the stride is {self.stride} for tiles of {self.size}: it must be 1 to {self.size}"
            )

    def list_positions(self, height: int, width: int) -> list[tuple[int, int]]:
        """List the upper left corners (y, x) of the tiles of an image, row by row."""
        return [(y, x) for y in self.list_starts(height) for x in self.list_starts(width)]

    def list_starts(self, length: int) -> list[int]:
        """List where tiles begin along one side of an image; only 0 if it is shorter than a tile."""
        last = max(0, length - self.size)
        return [*range(0, last, self.stride), last]

    def cut(self, image: Image) -> Iterator[Image]:
        """Yield the tiles (size, size, C) of an image (H, W, C), in the order of `list_positions`.

        An image that is smaller than a tile is mirrored at its lower and right edges first.
        """
        padded = pad_by_mirroring(image, self.size, self.size)
        for y, x in self.list_positions(*image.shape[:2]):
            yield padded[y : y + self.size, x : x + self.size]

    def stitch(self, tiles: Iterable[Image], height: int, width: int) -> Image:
        """Stitch tiles (size, size, C), in the order of `list_positions`, to an image (height, width, C).

        Overlapping tiles are averaged; padding is cut off.

        Raises:
            ValueError: the number of tiles is not that of the positions.
        """
        positions = self.list_positions(height, width)
        total = count = np.zeros(0)
        for index, (tile, (y, x)) in enumerate(zip(tiles, positions, strict=True)):
            if not index:
                padded = max(height, self.size), max(width, self.size)
                # Sums in float64 are exact: equal tiles are averaged to themselves.
                total, count = np.zeros((*padded, tile.shape[-1])), np.zeros((*padded, 1))
            total[y : y + self.size, x : x + self.size] += tile
            count[y : y + self.size, x : x + self.size] += 1
        return (total[:height, :width] / count[:height, :width]).astype(np.float32)
