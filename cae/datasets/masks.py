"""The masks of defects, for sources that have them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from cae.datasets.prepared import SampleInfo
from cae.datasets.safety import quote
from cae.datasets.samples import Sample
from cae.datasets.sources import open_source

Mask = npt.NDArray[np.bool_]
"""(H, W), true where the defect is."""


def read_masks(source: Path, pictures: Sequence[SampleInfo]) -> Iterator[Mask | None]:
    """Yield the masks of images one after another; None for images without one.

    If any image has a mask, normal ones have empty masks.

    Raises:
        UserError: a file of masks cannot be read, or its masks differ from its images in number or size.
    """
    any_masked = any(picture.mask is not None for picture in pictures)
    for (mask, _), group in groupby(pictures, lambda picture: (picture.mask, find_file_name(picture))):
        if mask is None:
            yield from (np.zeros(one.size, bool) if any_masked and one.normal else None for one in group)
        else:
            yield from read_file(source / mask, group)


def find_file_name(picture: SampleInfo) -> str:
    """Return the name of the file that an image is from: NAME for NAME#3."""
    return re.sub(r"#\d+\Z", "", picture.name)


def read_file(path: Path, pictures: Iterable[SampleInfo]) -> Iterator[Mask]:
    """Read the masks of the images of one file, in their order; raises as `read_masks`."""
    for sample, picture in zip_longest(open_source(path), pictures):
        if sample is None or picture is None:
            found = "fewer" if sample is None else "more"
            raise UserError(f"{quote(path)} holds {found} masks than its file has images")
        yield make_mask(path, sample, picture)


def make_mask(path: Path, sample: Sample, picture: SampleInfo) -> Mask:
    """Turn a stored mask into the mask of an image: true where any channel is not 0."""
    marked = sample.pixels != 0
    mask: Mask = marked if marked.ndim == 2 else marked.any(axis=-1)
    if mask.shape != picture.size:
        raise UserError(
            f"{quote(path)} has {mask.shape[0]}×{mask.shape[1]} pixels, but its image has "
            f"{picture.size[0]}×{picture.size[1]}"
        )
    return mask


def check_masks(source: Path, pictures: Sequence[SampleInfo]) -> None:
    """Read every mask once; raises as `read_masks`."""
    for _ in read_masks(source, pictures):
        pass
