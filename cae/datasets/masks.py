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


def read_masks(source: Path, samples: Sequence[SampleInfo]) -> Iterator[Mask | None]:
    """Yield the masks of samples one after another; None for samples without one.

    If any sample has a mask, normal ones have empty masks.

    Raises:
        UserError: a file of masks cannot be read, or its masks differ from its images in number or size.
    """
    any_masked = any(sample.mask is not None for sample in samples)
    for (mask, _), group in groupby(samples, lambda sample: (sample.mask, find_file_name(sample))):
        if mask is None:
            yield from (np.zeros(one.size, bool) if any_masked and one.normal else None for one in group)
        else:
            yield from read_file(source / mask, group)


def find_file_name(sample: SampleInfo) -> str:
    """Return the name of the file that a sample is from: NAME for NAME#3."""
    return re.sub(r"#\d+\Z", "", sample.name)


def read_file(path: Path, samples: Iterable[SampleInfo]) -> Iterator[Mask]:
    """Read the masks of the samples of one file, in their order; raises as `read_masks`."""
    for stored, sample in zip_longest(open_source(path), samples):
        if stored is None or sample is None:
            found = "fewer" if stored is None else "more"
            raise UserError(f"{quote(path)} holds {found} masks than its file has images")
        yield make_mask(path, stored, sample)


def make_mask(path: Path, stored: Sample, sample: SampleInfo) -> Mask:
    """Turn a stored mask into the mask of a sample: true where any channel is not 0."""
    marked = stored.pixels != 0
    mask: Mask = marked if marked.ndim == 2 else marked.any(axis=-1)
    if mask.shape != sample.size:
        raise UserError(
            f"{quote(path)} has {mask.shape[0]}×{mask.shape[1]} pixels, but its image has "
            f"{sample.size[0]}×{sample.size[1]}"
        )
    return mask


def check_masks(source: Path, samples: Sequence[SampleInfo]) -> None:
    """Read every mask once; raises as `read_masks`."""
    for _ in read_masks(source, samples):
        pass
