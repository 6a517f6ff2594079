"""What a source gives: pictures as they are stored, one after another, and a list of the bad files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError
from cae.datasets.safety import quoted

Pixels = npt.NDArray[Any]
"""(H, W) or (H, W, C), 1 or 3 channels; whole numbers or floats of at most 64 bits; may be read only."""


class Frame(NamedTuple):
    """One picture of a file, before it has a name."""

    pixels: Pixels
    # Whom it belongs to where that is more than its file, such as a patient; "" otherwise.
    group: str = ""
    # Whether its file holds others as well.
    several: bool = False


class Picture(NamedTuple):
    """A picture as stored, and what its place says about it."""

    # Its path below the source, with "/" between folders; "#3" at the end for the fourth picture of a file.
    name: str
    pixels: Pixels
    # The name of its class: of MVTec AD, good or the defect.
    label: str | None = None
    # Where the source splits itself: train, validation or test.
    part: str | None = None
    # What must stay on one side of a split: its file, patient or volume.
    group: str = ""
    # The file with the mask of its defect, of MVTec AD.
    mask: Path | None = None


class Skipped(NamedTuple):
    """A file that could not be used."""

    name: str
    reason: str


class Entry(NamedTuple):
    """A file of a source, or a part of one, that is read when asked."""

    name: str
    read: Callable[[], Iterator[Picture]]


@dataclass(eq=False)
class Source:
    """The pictures of one place, in a fixed order: by name, whatever the file system says.

    To iterate reads one picture after another, and to iterate again reads them again. What is wrong with a
    file is a UserError that names it; with `skip_bad`, none of its pictures comes, and `skipped` lists it
    instead.

    Raises:
        UserError: on iterating, a bad file without `skip_bad`, or no good one with it.
    """

    path: Path
    # The format of its files: image, dicom, nifti, idx or npz.
    kind: str
    entries: Sequence[Entry]
    skip_bad: bool = False
    # The class of normal pictures where the layout says so itself: MVTec AD's good.
    normal: str | None = None
    # Of the last iteration, as far as it got.
    skipped: list[Skipped] = field(default_factory=list, init=False)

    def __iter__(self) -> Iterator[Picture]:
        self.skipped.clear()
        for entry in self.entries:
            try:
                yield from sound(entry) if self.skip_bad else entry.read()
            except UserError as error:
                if not self.skip_bad:
                    raise
                self.skipped.append(Skipped(entry.name, str(error)))
        if len(self.skipped) == len(self.entries):
            raise UserError(
                f"{quoted(self.path)} holds no picture that can be read; {len(self.skipped)} were skipped, "
                f"the first because {self.skipped[0].reason}"
            )


def sound(entry: Entry) -> Iterator[Picture]:
    """Return the pictures of an entry after all of them could be read; several are read twice, not kept."""
    first = list(islice(entry.read(), 2))
    if len(first) < 2:
        return iter(first)
    for _ in entry.read():
        pass
    return entry.read()


def pictures(
    name: str,
    frames: Iterator[Frame],
    label: str | None = None,
    part: str | None = None,
    mask: Path | None = None,
) -> Iterator[Picture]:
    """Name the pictures of a file: as the file where it has one, else NAME#0, NAME#1 and so on."""
    for index, frame in enumerate(frames):
        own = f"{name}#{index}" if frame.several else name
        yield Picture(own, frame.pixels, label, part, frame.group or name, mask)


def uniform(
    pictures: Iterable[Picture], *, sizes: bool = True, channels: bool = True, depths: bool = True
) -> Iterator[Picture]:
    """Pass pictures on while all have one size, number of channels and depth where they must.

    Args:
        pictures: as a source gives them.
        sizes: False where they are resized or cut into tiles anyway.
        channels: False where they are converted anyway.
        depths: False where values mean the same in every depth.

    Raises:
        UserError: a picture differs from the first; both are named.
    """
    wanted = {"size": sizes, "number of channels": channels, "depth": depths}
    first: tuple[str, dict[str, str]] | None = None
    for picture in pictures:
        found = traits(picture.pixels)
        first = first or (picture.name, found)
        for trait, value in first[1].items():
            if wanted[trait] and found[trait] != value:
                raise UserError(
                    f"{quoted(first[0])} has the {trait} {value} and {quoted(picture.name)} {found[trait]}: "
                    f"all pictures must have one {trait}. {REMEDIES[trait]}, or leave one of them out."
                )
        yield picture


REMEDIES = {
    "size": "Ask for a size (data.size) or for tiles (data.tiles)",
    "number of channels": "Ask for 1 or 3 channels (data.channels)",
    "depth": "Convert them to one, or of DICOM and NIfTI say a window (data.window)",
}


def traits(pixels: Pixels) -> dict[str, str]:
    """Say in words what may differ between pictures."""
    return {
        "size": f"{pixels.shape[0]}×{pixels.shape[1]}",
        "number of channels": str(pixels.shape[2] if pixels.ndim == 3 else 1),
        "depth": str(pixels.dtype),
    }


def native(pixels: Pixels) -> Pixels:
    """Bring the bytes of values into this machine's order; the values stay."""
    return np.asarray(pixels, pixels.dtype.newbyteorder("="))
