"""IDX, the format of the MNIST family, read picture by picture: a file, or a folder of two parts."""

import math
import re
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cae.core import words
from cae.core.errors import UserError
from cae.datasets.file_types import unpacked
from cae.datasets.idx import IMAGES_MAGIC, LABELS_MAGIC
from cae.datasets.safety import RefusedError, check_size, check_within, exactly, guarded, quoted
from cae.datasets.samples import Entry, Frame, Picture, pictures

NAME = re.compile(r"(train|t10k)-(images-idx3|labels-idx1)-ubyte(\.gz)?")
PARTS = {"t10k": "test", "train": "train"}


def is_idx(folder: Path) -> bool:
    """Say whether a folder holds files named as those of MNIST; what else lies there is passed over."""
    return any(NAME.fullmatch(path.name) for path in folder.iterdir())


def entries(folder: Path) -> list[Entry]:
    """List the files of images in a folder, by name, each with its labels where there are any.

    Raises:
        UserError: there are labels alone.
    """
    listed = [
        Entry(images.name, partial(read, images, labelled(folder, prefix), part, folder))
        for prefix, part in PARTS.items()
        if (images := plain_or_gzipped(folder / f"{prefix}-images-idx3-ubyte"))
    ]
    if not listed:
        raise UserError(f"{quoted(folder)} holds labels and no images. Put train-images-idx3-ubyte there.")
    return listed


def labelled(folder: Path, prefix: str) -> Path | None:
    """Find the labels of a part."""
    return plain_or_gzipped(folder / f"{prefix}-labels-idx1-ubyte")


def plain_or_gzipped(path: Path) -> Path | None:
    """Find a file under its name, or as NAME.gz; None where there is neither."""
    return next(
        (
            place
            for place in (path, path.with_name(f"{path.name}.gz"))
            if place.exists() or place.is_symlink()
        ),
        None,
    )


def read(
    images: Path, labels: Path | None = None, part: str | None = None, root: Path | None = None
) -> Iterator[Picture]:
    """Read the pictures of a file: uint8 (H, W), each its own group; a label is the number of the class.

    Args:
        images: the file.
        labels: that of their labels.
        part: which part of a split they are.
        root: the folder that neither file may lie outside of.

    Raises:
        UserError: a file is damaged, or images and labels do not pair.
    """
    name = images.name
    numbers = guarded(labels, values_of(labels, LABELS_MAGIC, root)) if labels else None
    for index, stored in enumerate(guarded(images, values_of(images, IMAGES_MAGIC, root))):
        number = next(numbers, None) if numbers else None
        if numbers and number is None:
            raise UserError(
                f"{quoted(images)} holds more images than {quoted(str(labels))} labels. Fetch both."
            )
        label = None if number is None else str(int(number[()]))
        yield from pictures(f"{name}#{index}", iter([Frame(stored)]), label, part)
    if numbers and next(numbers, None) is not None:
        raise UserError(f"{quoted(images)} holds fewer images than {quoted(str(labels))} labels. Fetch both.")


def values_of(path: Path, magic: bytes, root: Path | None) -> Iterator[npt.NDArray[np.uint8]]:
    """Read the pictures, uint8 (H, W), or the labels, uint8 (), of a file, gzipped or plain.

    Raises:
        RefusedError: another kind of file, sizes out of bounds, or not as many values as announced.
    """
    if root is not None:
        check_within(root, path)
    with unpacked(path) as stream:
        found = stream.read(4)
        if found != magic:
            beginning = found.hex() or "nothing"
            raise RefusedError(f"begins with {beginning}, not {magic.hex()}. Put the right IDX file there.")
        count, *shape = struct.unpack(f">{magic[3]}I", exactly(stream, 4 * magic[3]))
        if shape:
            check_size(*shape)
        if not count:
            raise RefusedError("announces no values: there must be at least one. Fetch or copy it again.")
        size = math.prod(shape)
        for _ in range(count):
            yield np.frombuffer(exactly(stream, size), np.uint8).reshape(shape)
        if stream.read(1):
            raise RefusedError(
                f"goes on after the {words.pluralize(count, 'value')} that it announces. Fetch or copy it "
                "again."
            )
