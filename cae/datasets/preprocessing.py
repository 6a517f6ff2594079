"""Preprocess samples for a network: scale grey values, convert channels, resize, cut into tiles."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from cae.datasets import intensity, resizing
from cae.datasets.intensity import Image
from cae.datasets.samples import Sample
from cae.datasets.tiles import Tiling


class Preprocessing(NamedTuple):
    """What is done to every sample. By default, nothing is resized, cut or converted."""

    # The grey values that become 0 and 1; for None see `intensity.apply_window`.
    window: tuple[float, float] | None = None
    # 1 or 3; None keeps the channels.
    channels: int | None = None
    # Height and width to resize to; None keeps the size.
    size: tuple[int, int] | None = None
    # None: an image is one tile.
    tiling: Tiling | None = None

    def apply(self, sample: Sample) -> Image:
        """Return a sample as an image (H, W, C) in [0, 1]; raises as `intensity.apply_window`."""
        image = intensity.convert_channels(intensity.apply_window(sample, self.window), self.channels)
        return image if self.size is None else resizing.resize(image, *self.size)

    def cut(self, image: Image) -> Iterator[Image]:
        """Yield the tiles (h, w, C) of an image (H, W, C), or all of it without a tiling.

        It is mirrored at its lower and right edges up to a tile, or to sides that networks give back
        unchanged.
        """
        if self.tiling is None:
            yield resizing.pad_by_mirroring(image, *map(resizing.next_valid_side, image.shape[:2]))
        else:
            yield from self.tiling.cut(image)

    def count_tiles(self, height: int, width: int) -> int:
        """Count the tiles of an image of a size."""
        return 1 if self.tiling is None else len(self.tiling.list_positions(height, width))

    def stitch(self, tiles: Iterable[Image], height: int, width: int) -> Image:
        """Stitch the tiles (h, w, C) of one image, in the order of `cut`, to (height, width, C).

        Overlapping tiles are averaged; padding is cut off.
        """
        if self.tiling is not None:
            return self.tiling.stitch(tiles, height, width)
        (tile,) = islice(tiles, 2)
        return tile[:height, :width]
