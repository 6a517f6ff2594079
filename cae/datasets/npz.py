"""A .npz in the manner of MedMNIST: {train,val,test}_{images,labels}, or images and labels alone.

Images are N×H×W or N×H×W×3, labels N or N×L. The arrays are unpacked picture by picture, never as a whole,
and nothing is ever unpickled. Format of MedMNIST: https://medmnist.com.
"""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from cae.core import words
from cae.datasets.safety import (
    BYTES,
    RefusedError,
    check_size,
    check_type,
    exactly,
    guarded,
)
from cae.datasets.samples import Entry, Frame, Picture, Pixels, native, pictures

# Prefix of a split's arrays → the part that it is.
PREFIXES = {"": None, "train_": "train", "val_": "validation", "test_": "test"}
# A member of more than a gigabyte that was packed to less than a hundredth is a bomb, not pictures.
LARGE = 2**30
RATIO = 100
ENCRYPTED = 1


class Header(NamedTuple):
    """What an array announces."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def entries(path: Path) -> list[Entry]:
    """List the splits of an archive by name.

    Raises:
        UserError: it is damaged, or has no images under the names that are known.
    """
    prefixes = sorted(prefix for prefix in guarded(path, prefixes_of(path)))
    return [Entry(f"{prefix}images", partial(read, path, prefix)) for prefix in prefixes]


def prefixes_of(path: Path) -> Iterator[str]:
    """Name the splits that an archive has; raises RefusedError or what zipfile does."""
    with zipfile.ZipFile(path) as archive:
        held = set(archive.namelist())
    known = [prefix for prefix in PREFIXES if f"{prefix}images.npy" in held]
    if not known:
        names = ", ".join(sorted(name.removesuffix(".npy") for name in held)[:9])
        raise RefusedError(
            f"holds the arrays {names!r}: train_images, val_images and test_images are read, each with its "
            "labels, or images with labels. Save it with these names."
        )
    yield from known


def read(path: Path, prefix: str) -> Iterator[Picture]:
    """Read the pictures of one split, each its own group; a label is the number of the class, or several."""
    for index, (label, pixels) in enumerate(guarded(path, unpack(path, prefix))):
        yield from pictures(f"{prefix}images#{index}", iter([Frame(pixels)]), label, PREFIXES[prefix])


def unpack(path: Path, prefix: str) -> Iterator[tuple[str | None, Pixels]]:
    """Yield picture after picture of one split with its label, if there are labels."""
    with zipfile.ZipFile(path) as archive:
        labels = None
        if f"{prefix}labels.npy" in archive.namelist():
            with member(archive, f"{prefix}labels.npy") as (stream, header):
                labels = label_names(stream, header)
        with member(archive, f"{prefix}images.npy") as (stream, header):
            check_images(header, None if labels is None else len(labels))
            size = math.prod(header.shape[1:]) * header.dtype.itemsize
            for index in range(header.shape[0]):
                pixels = np.frombuffer(exactly(stream, size), header.dtype).reshape(header.shape[1:])
                yield labels[index] if labels else None, native(pixels)
            # To meet the end is to compare the checksum.
            stream.read(1)


@contextmanager
def member(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[IO[bytes], Header]]:
    """Open an array of an archive after its header, once all sizes that are announced fit each other.

    Raises:
        RefusedError: it is no array of numbers or text, is not laid out row by row, or is a bomb.
    """
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & ENCRYPTED:
        raise RefusedError(f"packs {name} in an unusual way. Save it with numpy.savez_compressed.")
    if info.file_size > max(LARGE, RATIO * info.compress_size):
        raise RefusedError(
            f"unpacks {name} from {info.compress_size:,} bytes to {info.file_size:,}: above {LARGE:,} at "
            f"most {RATIO} times as many are unpacked. It is a bomb, or empty: save it with numpy.savez."
        )
    with archive.open(info) as stream:
        # Later versions are for long names of fields, and may announce headers of 4 GiB.
        if np.lib.format.read_magic(stream) != (1, 0):
            raise RefusedError(f"holds {name} in another format than 1.0 of .npy. Save it with numpy.savez.")
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
        if dtype.hasobject:
            raise RefusedError(f"holds Python objects in {name}, which are never unpickled. Save numbers.")
        if by_column or not shape or min(shape) < 1:
            raise RefusedError(
                f"holds {name} with shape {shape}, by {'column' if by_column else 'row'}: every size has to "
                "be at least 1, and values come row by row. Save numpy.ascontiguousarray of it."
            )
        size = stream.tell() + math.prod(shape) * dtype.itemsize
        if size != info.file_size:
            raise RefusedError(
                f"announces {words.pluralize(size, 'byte')} for {name}, and holds {info.file_size}. Save it "
                "again."
            )
        yield stream, Header(shape, dtype)


def check_images(header: Header, labels: int | None) -> None:
    """Raise RefusedError unless an array holds pictures, each with its label if there are any."""
    if len(header.shape) not in (3, 4):
        raise RefusedError(
            f"holds images with shape {header.shape}: N×H×W or N×H×W×3 are read. Reshape them."
        )
    check_type(header.dtype)
    height, width, channels = (*header.shape, 1)[1:4]
    check_size(height, width, channels, header.dtype.itemsize)
    if labels not in (None, header.shape[0]):
        raise RefusedError(
            f"holds {words.pluralize(header.shape[0], 'image')} and {words.pluralize(labels, 'label')}: as "
            "many are needed."
        )


def label_names(stream: IO[bytes], header: Header) -> list[str]:
    """Read labels (N,) or (N, L), whole numbers or text, as a text each."""
    size = math.prod(header.shape) * header.dtype.itemsize
    if len(header.shape) > 2 or header.dtype.kind not in "uibU" or size > BYTES:
        raise RefusedError(
            f"holds labels of type {header.dtype} and shape {header.shape}: N or N×L whole numbers or texts "
            f"are read, at most {BYTES:,} bytes. Save them so."
        )
    values = np.frombuffer(exactly(stream, size), header.dtype).reshape(header.shape[0], -1)
    stream.read(1)
    return [",".join(map(str, row)) for row in values.tolist()]
