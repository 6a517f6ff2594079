"""Where the defects of pictures are, as the source says it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from cae.datasets import folders
from cae.datasets.prepared import Listed
from cae.datasets.safety import quoted
from cae.datasets.samples import Frame

Mask = npt.NDArray[np.bool_]
"""(H, W), true where the defect is."""


def read_masks(source: Path, pictures: Sequence[Listed]) -> Iterator[Mask | None]:
    """Yield where the defects of pictures are, one after another; None where their source does not say.

    Where any picture has a mask, normal ones are without defect.

    Raises:
        UserError: a file of masks cannot be read, has not as many as there are pictures in its file, or one
            of another size.
    """
    any_masked = any(picture.mask is not None for picture in pictures)
    for (mask, _), group in groupby(pictures, lambda picture: (picture.mask, name_file(picture))):
        if mask is None:
            yield from (np.zeros(one.size, bool) if any_masked and one.normal else None for one in group)
        else:
            yield from read_file(source / mask, group)


def name_file(picture: Listed) -> str:
    """Name the file that a picture is of, perhaps one of several: NAME#3 is of NAME."""
    return re.sub(r"#\d+\Z", "", picture.name)


def read_file(path: Path, pictures: Iterable[Listed]) -> Iterator[Mask]:
    """Read the masks of the pictures of one file, in their order; raises as `read_masks`."""
    for frame, picture in zip_longest(folders.decode_file(path), pictures):
        if frame is None or picture is None:
            found = "fewer" if frame is None else "more"
            raise UserError(f"{quoted(path)} holds {found} masks than its file pictures: as many are needed")
        yield make_mask(path, frame, picture)


def make_mask(path: Path, frame: Frame, picture: Listed) -> Mask:
    """Turn a frame of a file of masks into the mask of a picture: what is not 0, in any channel."""
    marked = frame.pixels != 0
    mask: Mask = marked if marked.ndim == 2 else marked.any(axis=-1)
    if mask.shape != picture.size:
        raise UserError(
            f"{quoted(path)} has {mask.shape[0]}×{mask.shape[1]} pixels, but its picture "
            f"{picture.size[0]}×{picture.size[1]}: as many are needed"
        )
    return mask


def check_masks(source: Path, pictures: Iterable[Listed]) -> None:
    """Read every mask once; raises as `read_masks`."""
    for _ in read_masks(source, list(pictures)):
        pass
