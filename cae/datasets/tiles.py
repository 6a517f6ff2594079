"""Tiles of large pictures: cut so that they cover all of it, and stitched back, overlaps averaged."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from cae.datasets.intensity import Image
from cae.datasets.resizing import padded


@dataclass(frozen=True)
class Tiling:
    """Square tiles of `size` pixels a side, one every `stride` pixels; the last of a row ends at the edge.

    Raises:
        ValueError: the stride is not in 1 to size: tiles would leave gaps.
    """

    size: int
    stride: int

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.size:
            raise ValueError(
                f"tiles of {self.size} every {self.stride} pixels: 1 to {self.size} leave no gaps"
            )

    def places(self, height: int, width: int) -> list[tuple[int, int]]:
        """List the upper left corners (y, x) of the tiles of a picture, row by row."""
        return [(y, x) for y in self.starts(height) for x in self.starts(width)]

    def starts(self, length: int) -> list[int]:
        """List where tiles begin along one side of a picture: one at 0 where it is shorter than a tile."""
        last = max(0, length - self.size)
        return [*range(0, last, self.stride), last]

    def cut(self, image: Image) -> Iterator[Image]:
        """Yield the tiles (size, size, C) of an image (H, W, C), in the order of `places`.

        An image that is smaller than a tile is mirrored at its lower and right edge first.
        """
        whole = padded(image, self.size, self.size)
        for y, x in self.places(*image.shape[:2]):
            yield whole[y : y + self.size, x : x + self.size]

    def stitched(self, tiles: Iterable[Image], height: int, width: int) -> Image:
        """Put maps of the tiles together again: (size, size, C) each, in the order of `places`, to (H, W, C).

        Where tiles overlap it is their mean; what was mirrored is cut off.

        Raises:
            ValueError: there are not as many tiles as places.
        """
        places = self.places(height, width)
        total = count = np.zeros(0)
        for index, (tile, (y, x)) in enumerate(zip(tiles, places, strict=True)):
            if not index:
                whole = max(height, self.size), max(width, self.size)
                # Sums in float64 are exact: tiles that agree give back what they are.
                total, count = np.zeros((*whole, tile.shape[-1])), np.zeros((*whole, 1))
            total[y : y + self.size, x : x + self.size] += tile
            count[y : y + self.size, x : x + self.size] += 1
        return (total[:height, :width] / count[:height, :width]).astype(np.float32)
