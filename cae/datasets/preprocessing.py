"""How a picture becomes what a network learns from: grey values, channels, a size, pieces of one shape."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from cae.datasets import intensity, resizing
from cae.datasets.intensity import Image
from cae.datasets.samples import Picture
from cae.datasets.tiles import Tiling


class Sight(NamedTuple):
    """What is done to every picture. Nothing is resized, cut or converted unless asked for."""

    # The grey values that become 0 and 1; None: as `intensity.windowed`.
    window: tuple[float, float] | None = None
    # 1 or 3; None keeps.
    channels: int | None = None
    # Height and width to stretch to; None keeps.
    size: tuple[int, int] | None = None
    # None: a picture is one piece.
    tiling: Tiling | None = None

    def image(self, picture: Picture) -> Image:
        """Return a picture as (H, W, C) in [0, 1]; UserError where its grey values do not suit."""
        image = intensity.in_channels(intensity.windowed(picture, self.window), self.channels)
        return image if self.size is None else resizing.resized(image, *self.size)

    def pieces(self, image: Image) -> Iterator[Image]:
        """Yield the pieces (h, w, C) of an image (H, W, C): its tiles, or all of it.

        Its lower and right edges are mirrored up to a tile, or to sides on which networks close.
        """
        if self.tiling is None:
            yield resizing.padded(image, *map(resizing.closing, image.shape[:2]))
        else:
            yield from self.tiling.cut(image)

    def counted(self, height: int, width: int) -> int:
        """Return how many pieces an image of a size gives."""
        return 1 if self.tiling is None else len(self.tiling.places(height, width))

    def whole(self, pieces: Iterable[Image], height: int, width: int) -> Image:
        """Put maps (h, w, C) of the pieces of one image together again: (height, width, C).

        Where tiles overlap it is their mean; what was mirrored is cut off.
        """
        if self.tiling is not None:
            return self.tiling.stitched(pieces, height, width)
        (piece,) = islice(pieces, 2)
        return piece[:height, :width]
