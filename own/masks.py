"""Where the defects of pictures are, as the source says it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from cae.ground import words
from cae.ground.errors import UserError
from cae.measures.localisation import Mask
from cae.sources import folders
from cae.sources.guards import quoted
from cae.sources.prepared import Listed
from cae.sources.records import Frame


def truth(source: Path, pictures: Sequence[Listed]) -> Iterator[Mask | None]:
    """Yield where the defects of pictures are, one after another; None where their source does not say.

    Where any picture has a mask, normal ones are without defect.

    Raises:
        UserError: a file of masks cannot be read, has not as many as there are pictures in its file, or one
            of another size.
    """
    any_masked = any(picture.mask is not None for picture in pictures)
    for mask, group in groupby(pictures, lambda picture: picture.mask):
        listed = list(group)
        if mask is None:
            yield from (np.zeros(one.size, bool) if any_masked and one.normal else None for one in listed)
        else:
            yield from masks_of(source / mask, listed)


def masks_of(path: Path, pictures: Sequence[Listed]) -> Iterator[Mask]:
    """Read the masks of the pictures of one file, in their order; raises as `truth`."""
    frames = list(folders.decoded(path))
    if len(frames) != len(pictures):
        raise UserError(
            f"{quoted(path)} holds {words.count(len(frames), 'mask')}, but its file "
            f"{words.count(len(pictures), 'picture')}: as many are needed"
        )
    for frame, picture in zip(frames, pictures, strict=True):
        yield mask_of(path, frame, picture)


def mask_of(path: Path, frame: Frame, picture: Listed) -> Mask:
    """Turn a frame of a file of masks into the mask of a picture: what is not 0, in any channel."""
    mask = frame.pixels if frame.pixels.ndim == 2 else frame.pixels.max(axis=-1)
    if mask.shape != picture.size:
        raise UserError(
            f"{quoted(path)} has {mask.shape[0]}×{mask.shape[1]} pixels, but its picture "
            f"{picture.size[0]}×{picture.size[1]}: as many are needed"
        )
    return mask > 0


def check(source: Path, pictures: Iterable[Listed]) -> None:
    """Read every mask once; raises as `truth`."""
    for _ in truth(source, list(pictures)):
        pass
