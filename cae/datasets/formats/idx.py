"""IDX, the format of the MNIST family: magic bytes, big-endian sizes, then uint8 values row by row.

Format: http://yann.lecun.com/exdb/mnist/ (at the foot of the page).
"""

import math
import re
import struct
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from cae.core import words
from cae.core.errors import UserError
from cae.datasets.formats import FileFormat
from cae.datasets.safety import (
    UnsupportedError,
    check_inside,
    check_size,
    convert_errors,
    open_unpacked,
    quote,
    read_exactly,
)
from cae.datasets.samples import Entry, Sample

# Two zero bytes, the type of the values (08: unsigned byte), the number of dimensions.
LABELS_MAGIC = bytes.fromhex("00000801")
IMAGES_MAGIC = bytes.fromhex("00000803")
# MNIST's names of files → the split that they belong to.
SPLITS = {"t10k": "test", "train": "train"}
MNIST_NAME = re.compile(rf"({'|'.join(SPLITS)})-(images-idx3|labels-idx1)-ubyte(\.gz)?")


def decode(stream: IO[bytes], magic: bytes) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the images, uint8 (H, W), or labels, uint8 (), of an unpacked file one after another.

    Raises:
        UnsupportedError: other magic bytes than `magic`, sizes out of bounds, or more or fewer values than
            announced.
    """
    found = stream.read(4)
    if found != magic:
        raise UnsupportedError(
            f"begins with {found.hex() or 'nothing'}, but an IDX file of "
            f"{'images' if magic == IMAGES_MAGIC else 'labels'} begins with {magic.hex()}. Copy it again."
        )
    count, *shape = struct.unpack(f">{magic[3]}I", read_exactly(stream, 4 * magic[3]))
    if shape:
        check_size(*shape)
    if not count:
        raise UnsupportedError("announces no values: at least one is needed. Copy it again.")
    size = math.prod(shape)
    for _ in range(count):
        yield np.frombuffer(read_exactly(stream, size), np.uint8).reshape(shape)
    if stream.read(1):
        raise UnsupportedError(
            f"goes on after the {words.pluralize(count, 'value')} that it announces. Copy it again."
        )


def read_values(path: Path, magic: bytes) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the images or labels of a file, gzipped or plain, as `decode`; errors are UserError."""

    def read_file() -> Iterator[npt.NDArray[np.uint8]]:
        with open_unpacked(path) as stream:
            yield from decode(stream, magic)

    return convert_errors(path, read_file())


def read(path: Path, name: str, labels: Path | None = None, split: str | None = None) -> Iterator[Sample]:
    """Read the images of a file, each its own group; the class is named by the number of its label.

    Args:
        path: the file of images.
        name: the beginning of the samples' names.
        labels: the file of their labels.
        split: the split that they belong to.

    Raises:
        UserError: a file is damaged, or the numbers of images and labels differ.
    """
    numbers = read_values(labels, LABELS_MAGIC) if labels else None
    for index, pixels in enumerate(read_values(path, IMAGES_MAGIC)):
        number = next(numbers, None) if numbers else None
        if numbers and number is None:
            raise UserError(
                f"{quote(path)} holds more images than {quote(str(labels))} labels. Get both again."
            )
        own_name, label = f"{name}#{index}", None if number is None else str(number)
        yield Sample(own_name, pixels, label, split, own_name)
    if numbers and next(numbers, None) is not None:
        raise UserError(f"{quote(path)} holds fewer images than {quote(str(labels))} labels. Get both again.")


def list_folder(folder: Path) -> Sequence[Entry]:
    """List the files of images in a folder laid out as MNIST's, each with its labels if there are any.

    Raises:
        UserError: there are labels alone.
    """
    if not any(MNIST_NAME.fullmatch(path.name) for path in folder.iterdir()):
        return []
    entries = []
    for prefix, split in SPLITS.items():
        images, labels = (
            find_plain_or_gzipped(folder / f"{prefix}-{content}-ubyte")
            for content in ("images-idx3", "labels-idx1")
        )
        if images:
            entries.append(Entry(images.name, partial(read_inside, folder, images, labels, split)))
    if not entries:
        raise UserError(f"{quote(folder)} holds labels but no images. Put train-images-idx3-ubyte there.")
    return entries


def find_plain_or_gzipped(path: Path) -> Path | None:
    """Find a file as NAME or NAME.gz; None if there is neither."""
    candidates = (path, path.with_name(f"{path.name}.gz"))
    return next((one for one in candidates if one.exists() or one.is_symlink()), None)


def read_inside(folder: Path, images: Path, labels: Path | None, split: str) -> Iterator[Sample]:
    """Read the images of a file in a folder that no file may lie outside of."""
    for path in filter(None, (images, labels)):
        check_inside(folder, path)
    yield from read(images, images.name, labels, split)


FORMAT = FileFormat(
    names=("IDX",),
    magic=re.escape(IMAGES_MAGIC),
    endings=r"-idx3-ubyte(\.gz)?",
    read=read,
    kind="IDX",
    gzipped=True,
    in_folders=False,
    list_folder=list_folder,
)
