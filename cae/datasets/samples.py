"""What a source yields: samples with their pixels as stored, one after another, and a list of bad files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core import words
from cae.core.errors import UserError
from cae.datasets.safety import quote

Pixels = npt.NDArray[Any]
"""(H, W) or (H, W, C), 1 or 3 channels; integers or floats of at most 64 bits; may be read only."""


class Sample(NamedTuple):
    """One image as stored, and what its file and folders say about it."""

    # The path below the source, with "/" between folders; "#3" at the end for the fourth image of a file.
    name: str
    pixels: Pixels
    # The name of its class; for MVTec AD, "good" or the defect.
    label: str | None = None
    # The split that the source assigns it to: train, validation, threshold or test.
    split: str | None = None
    # Samples of one group (file, patient or volume) must stay in one split.
    group: str = ""
    # The file with the mask of its defect, for MVTec AD.
    mask: Path | None = None


class Skipped(NamedTuple):
    """A file that could not be used."""

    name: str
    reason: str


class Entry(NamedTuple):
    """One file of a source, read when asked."""

    name: str
    read: Callable[[], Iterator[Sample]]


@dataclass(eq=False)
class Source:
    """The samples of a file or folder, in a fixed order: by name, whatever the file system's order.

    Each iteration reads the samples again, one after another. A bad file is a UserError that names it; with
    `skip_bad`, none of its samples is yielded, and `skipped` lists it instead.

    Raises:
        UserError: on iterating, a bad file without `skip_bad`, or no good one with it.
    """

    path: Path
    # The kind of its files: image files, DICOM, NIfTI, IDX or npz.
    kind: str
    entries: Sequence[Entry]
    skip_bad: bool = False
    # Whether pixels are in physical units, such as Hounsfield units, whatever the type they are stored in.
    calibrated: bool = False
    # The class of normal images where the layout names it: "good" for MVTec AD.
    normal: str | None = None
    # The bad files of the last iteration, as far as it got.
    skipped: list[Skipped] = field(default_factory=list, init=False)

    def __iter__(self) -> Iterator[Sample]:
        self.skipped.clear()
        for entry in self.entries:
            try:
                yield from read_checked(entry) if self.skip_bad else entry.read()
            except UserError as error:
                if not self.skip_bad:
                    raise
                self.skipped.append(Skipped(entry.name, str(error)))
        if len(self.skipped) == len(self.entries):
            raise UserError(
                f"No image in {quote(self.path)} can be read: "
                f"{words.pluralize(len(self.skipped), 'file')} skipped. The first error: "
                f"{self.skipped[0].reason}"
            )


def read_checked(entry: Entry) -> Iterator[Sample]:
    """Return the samples of an entry once all of them could be read.

    An entry with several samples is read twice rather than kept in memory.
    """
    first = list(islice(entry.read(), 2))
    if len(first) < 2:
        return iter(first)
    for _ in entry.read():
        pass
    return entry.read()


REMEDIES = {
    "size": "Set a size (data.size) or tiles (data.tiles)",
    "number of channels": "Set 1 or 3 channels (data.channels)",
    "data type": "Convert them to one type, or set a window for DICOM and NIfTI (data.window)",
}


def check_uniform(
    samples: Iterable[Sample], *, sizes: bool = True, channels: bool = True, dtypes: bool = True
) -> Iterator[Sample]:
    """Yield samples while all have the size, number of channels and data type of the first.

    Args:
        samples: as a source yields them.
        sizes: False if they are resized or cut into tiles anyway.
        channels: False if they are converted anyway.
        dtypes: False if values mean the same in every type.

    Raises:
        UserError: a sample differs from the first; both are named.
    """
    checked = {"size": sizes, "number of channels": channels, "data type": dtypes}
    first: tuple[str, dict[str, str]] | None = None
    for sample in samples:
        pixels = sample.pixels
        properties = {
            "size": f"{pixels.shape[0]}×{pixels.shape[1]}",
            "number of channels": str(pixels.shape[2] if pixels.ndim == 3 else 1),
            "data type": str(pixels.dtype),
        }
        first = first or (sample.name, properties)
        for name, value in first[1].items():
            if checked[name] and properties[name] != value:
                raise UserError(
                    f"{quote(first[0])} has the {name} {value} and {quote(sample.name)} has "
                    f"{properties[name]}, but all images must have the same {name}. {REMEDIES[name]}, or "
                    "remove one of them."
                )
        yield sample


def to_native_byte_order(pixels: Pixels) -> Pixels:
    """Return the same values in this machine's byte order."""
    return np.asarray(pixels, pixels.dtype.newbyteorder("="))
