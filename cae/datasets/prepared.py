"""Pictures of any source, prepared for training: pieces of one shape by sides, and a list of the pictures.

`SIDE_images.npy` float32 (N, h, w, C) in [0, 1], side for side; `pictures.json` says whose pieces they are.
Pictures are read one after another, twice, and never kept: memory does not grow with them.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Self

from cae.core import files
from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.datasets import splits
from cae.datasets.intensity import Image
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.safety import quote
from cae.datasets.samples import Sample, Source, check_uniform

PICTURES = "pictures.json"
SIDES = ("train", "validation", "threshold", "test")
# As `files.write_json` writes.
LISTING = json.JSONEncoder(indent=2, sort_keys=True, allow_nan=False)


class Listed(NamedTuple):
    """What is known of a picture without its pixels."""

    name: str
    label: str | None
    part: str | None
    group: str
    # Its mask, as a path from the source.
    mask: str | None
    # Height and width as it came, and as the network sees it, before tiles and mirrored edges.
    size: tuple[int, int]
    seen: tuple[int, int]
    # How many pieces it gives, and of which shape (h, w, C).
    pieces: int
    shape: tuple[int, ...]
    # Of its pixels as stored.
    dtype: str
    # train, validation, threshold or test, once it is split.
    side: str = ""
    # Whether it is of the class that is learned.
    normal: bool = True


class Prepared(NamedTuple):
    """The pieces of one side, and the pictures that they are of, in one order."""

    images: Images
    pictures: Sequence[Listed]

    @classmethod
    def read(cls, folder: Path, side: str) -> Self:
        """Map a side; raises as `images` and `pictures`."""
        listed = [picture for picture in pictures(folder) if picture.side == side]
        return cls(images(folder, side), listed)

    def of_each(self) -> Iterator[tuple[Listed, Images]]:
        """Yield every picture with its pieces (n, h, w, C)."""
        start = 0
        for picture in self.pictures:
            yield picture, self.images[start : start + picture.pieces]
            start += picture.pieces

    def labels(self) -> list[str | None]:
        """Name the class of every piece."""
        return [picture.label for picture in self.pictures for _ in range(picture.pieces)]


def looked_through(source: Source, preprocessing: Preprocessing) -> list[Listed]:
    """List the pictures of a source.

    Raises:
        UserError: a picture cannot be read, or differs from the first where all must be alike.
    """
    return [
        listed(sample, preprocessing.apply(sample), source.path, preprocessing)
        for sample in alike(source, preprocessing)
    ]


def alike(source: Source, preprocessing: Preprocessing) -> Iterator[Sample]:
    """Yield samples, which must be alike where preprocessing does not make them so."""
    sizes = preprocessing.size is None and preprocessing.tiling is None
    # Scanners store each image in the type that suits its slope; a window is in physical units.
    same_units = source.calibrated and preprocessing.window is not None
    return check_uniform(source, sizes=sizes, channels=preprocessing.channels is None, dtypes=not same_units)


def listed(sample: Sample, image: Image, root: Path, preprocessing: Preprocessing) -> Listed:
    """Say what is to be known of a sample, which is preprocessed to `image`."""
    height, width = image.shape[:2]
    first = next(preprocessing.cut(image))
    mask = None if sample.mask is None else sample.mask.relative_to(root).as_posix()
    size = (sample.pixels.shape[0], sample.pixels.shape[1])
    kept = (sample.name, sample.label, sample.split, sample.group, mask)
    tiles = preprocessing.count_tiles(height, width)
    return Listed(*kept, size, (height, width), tiles, first.shape, str(sample.pixels.dtype))


def write(
    folder: Path,
    source: Source,
    preprocessing: Preprocessing,
    pictures: Sequence[Listed],
    check: Callable[[], None],
) -> None:
    """Write the pieces of every side, and the list of the pictures, each of which has its side by now.

    `check` is called before any file takes its place: what it raises leaves the folder as it was.

    Raises:
        UserError: the source is no longer what was looked through, or a file cannot be written.
    """
    counts = Counter[str]()
    for known in pictures:
        counts[known.side] += known.pieces
    with ExitStack() as stack:
        handles = {
            side: stack.enter_context(files.open_atomically(folder / f"{side}_images.npy")) for side in SIDES
        }
        listing = stack.enter_context(files.open_atomically(folder / PICTURES))
        for side, file in handles.items():
            files.write_array_header(file, (counts[side], *pictures[0].shape))
        for known, picture in zip_longest(pictures, alike(source, preprocessing)):
            image = None if picture is None else preprocessing.apply(picture)
            if (
                image is None
                or known is None
                or known != again(known, picture, image, source.path, preprocessing)
            ):
                raise UserError(f"{quote(source.path)} changed while it was read: run again")
            for piece in preprocessing.cut(image):
                handles[known.side].write(piece.astype("<f4").tobytes())
        # Bit by bit: as one text, the list would take more memory than everything else that is known of it.
        for part in LISTING.iterencode([picture._asdict() for picture in pictures]):
            listing.write(part.encode())
        listing.write(b"\n")
        check()


def again(known: Listed, sample: Sample, image: Image, root: Path, preprocessing: Preprocessing) -> Listed:
    """List a picture once more, on the side that it was given."""
    return listed(sample, image, root, preprocessing)._replace(side=known.side, normal=known.normal)


def images(folder: Path, side: str) -> Images:
    """Map the pieces of a side from the disk: float32 (N, h, w, C) in [0, 1], read only.

    Raises:
        UserError: no such file, or not a whole one.
    """
    return splits.mapped(folder / f"{side}_images.npy")


def pictures(folder: Path) -> list[Listed]:
    """Read the list of the pictures; UserError where there is none."""
    path = folder / PICTURES
    try:
        rows = json.loads(path.read_bytes())
        return [Listed(**{name: plain(value) for name, value in row.items()}) for row in rows]
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error}). Make it again: {splits.REMAKE}") from error


def plain(value: Any) -> Any:
    """Turn JSON's lists back into tuples."""
    return tuple(value) if isinstance(value, list) else value
