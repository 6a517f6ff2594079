"""Where the defects of pictures are, as the source says it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from cae.ground.errors import UserError
from cae.measures.localisation import Mask
from cae.sources import images
from cae.sources.guards import guarded, quoted
from cae.sources.prepared import Listed


def mask_of(source: Path, picture: Listed) -> Mask | None:
    """Read where the defect of a picture is; None where its source does not say.

    Raises:
        UserError: the mask cannot be read, or has another size than its picture.
    """
    if picture.mask is None:
        return None
    path = source / picture.mask
    (frame, *_) = guarded(path, images.frames(path))
    mask = frame.pixels if frame.pixels.ndim == 2 else frame.pixels.max(axis=-1)
    if mask.shape != picture.size:
        raise UserError(
            f"{quoted(path)} has {mask.shape[0]}×{mask.shape[1]} pixels, but its picture "
            f"{picture.size[0]}×{picture.size[1]}: as many are needed"
        )
    return mask > 0


def truth(source: Path, pictures: Sequence[Listed]) -> Iterator[Mask | None]:
    """Yield where the defects of pictures are, one after another; None where their source does not say.

    Where any picture has a mask, normal ones are without defect. Raises as `mask_of`.
    """
    any_masked = any(picture.mask is not None for picture in pictures)
    for picture in pictures:
        nowhere = any_masked and picture.normal
        yield np.zeros(picture.size, bool) if nowhere else mask_of(source, picture)


def check(source: Path, pictures: Iterable[Listed]) -> None:
    """Read every mask once; raises as `mask_of`."""
    for picture in pictures:
        mask_of(source, picture)
