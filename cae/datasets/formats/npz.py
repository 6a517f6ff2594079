"""A .npz as MedMNIST's: {train,val,test}_{images,labels}, or images and labels alone.

Images are N×H×W or N×H×W×3, labels N or N×L. The arrays are unpacked image by image, never as a whole, and
nothing is ever unpickled. Format of MedMNIST: https://medmnist.com.
"""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from cae.core import words
from cae.datasets.formats import FileFormat
from cae.datasets.safety import BYTES, UnsupportedError, check_size, check_type, read_exactly
from cae.datasets.samples import Pixels, Sample, to_native_byte_order

# Prefix of a split's arrays → the split.
PREFIXES = {"": None, "test_": "test", "train_": "train", "val_": "validation"}
# A member of more than LARGE bytes that was packed to less than 1/RATIO of its size is a zip bomb.
LARGE = 2**30
RATIO = 100
ENCRYPTED = 1


class Header(NamedTuple):
    """What an array announces."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read(path: Path, _: str) -> Iterator[Sample]:
    """Read the images of all splits, each its own group; its class is named by its label or labels.

    Raises:
        UnsupportedError: there are no images under the known names, or other arrays than images and labels.
        Exception: whatever zipfile raises for a damaged file.
    """
    with zipfile.ZipFile(path) as archive:
        members = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
        prefixes = [prefix for prefix in PREFIXES if f"{prefix}images" in members]
        if not prefixes:
            raise UnsupportedError(
                f"holds the arrays {', '.join(sorted(members)[:9])!r}: train_images, val_images and "
                "test_images are supported, each with its labels, or images with labels. Save it with these "
                "names."
            )
        for prefix in prefixes:
            for index, (label, pixels) in enumerate(
                read_split(archive, prefix, f"{prefix}labels" in members)
            ):
                name = f"{prefix}images#{index}"
                yield Sample(name, pixels, label, PREFIXES[prefix], name)


def read_split(archive: zipfile.ZipFile, prefix: str, labelled: bool) -> Iterator[tuple[str | None, Pixels]]:
    """Yield the images of one split with their labels."""
    labels = None
    if labelled:
        with open_array(archive, f"{prefix}labels.npy") as (stream, header):
            labels = read_labels(stream, header)
    with open_array(archive, f"{prefix}images.npy") as (stream, header):
        check_images(header, None if labels is None else len(labels))
        size = math.prod(header.shape[1:]) * header.dtype.itemsize
        for index in range(header.shape[0]):
            pixels = np.frombuffer(read_exactly(stream, size), header.dtype).reshape(header.shape[1:])
            yield labels[index] if labels else None, to_native_byte_order(pixels)
        # Reading to the end checks the checksum.
        stream.read(1)


@contextmanager
def open_array(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[IO[bytes], Header]]:
    """Open an array of an archive after its header, once all announced sizes are consistent.

    Raises:
        UnsupportedError: it is not an array of numbers or text in C order, or is a zip bomb.
    """
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & ENCRYPTED:
        raise UnsupportedError(
            f"compresses {name} in an unsupported way. Save it with numpy.savez_compressed."
        )
    if info.file_size > max(LARGE, RATIO * info.compress_size):
        raise UnsupportedError(
            f"unpacks {name} from {info.compress_size:,} bytes to {info.file_size:,}: above {LARGE:,}, at "
            f"most {RATIO} times as many are supported. It is a zip bomb, or empty: save it with numpy.savez."
        )
    with archive.open(info) as stream:
        # Later versions are for long names of fields, and may announce headers of 4 GiB.
        if np.lib.format.read_magic(stream) != (1, 0):
            raise UnsupportedError(
                f"holds {name} in another format than version 1.0 of .npy. Save it with numpy.savez."
            )
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
        if dtype.hasobject:
            raise UnsupportedError(
                f"holds Python objects in {name}, which are never unpickled. Save numbers."
            )
        if fortran_order or not shape or min(shape) < 1:
            raise UnsupportedError(
                f"holds {name} with shape {shape} in {'Fortran' if fortran_order else 'C'} order: every size "
                "must be at least 1, in C order. Save numpy.ascontiguousarray of it."
            )
        size = stream.tell() + math.prod(shape) * dtype.itemsize
        if size != info.file_size:
            raise UnsupportedError(
                f"announces {words.pluralize(size, 'byte')} for {name}, but holds {info.file_size}. Save it "
                "again."
            )
        yield stream, Header(shape, dtype)


def check_images(header: Header, labels: int | None) -> None:
    """Raise UnsupportedError unless an array holds images, each with its label if there are any."""
    if len(header.shape) not in (3, 4):
        raise UnsupportedError(
            f"holds images with shape {header.shape}: N×H×W and N×H×W×3 are supported. Reshape them."
        )
    check_type(header.dtype)
    height, width, channels = (*header.shape, 1)[1:4]
    check_size(height, width, channels, header.dtype.itemsize)
    if labels not in (None, header.shape[0]):
        raise UnsupportedError(
            f"holds {words.pluralize(header.shape[0], 'image')} and {words.pluralize(labels, 'label')}: the "
            "numbers must be equal."
        )


def read_labels(stream: IO[bytes], header: Header) -> list[str]:
    """Read labels (N,) or (N, L), integers or text, as one text each."""
    size = math.prod(header.shape) * header.dtype.itemsize
    if len(header.shape) > 2 or header.dtype.kind not in "uibU" or size > BYTES:
        raise UnsupportedError(
            f"holds labels of type {header.dtype} and shape {header.shape}: N or N×L integers or texts of at "
            f"most {BYTES:,} bytes are supported."
        )
    values = np.frombuffer(read_exactly(stream, size), header.dtype).reshape(header.shape[0], -1)
    stream.read(1)
    return [",".join(map(str, row)) for row in values.tolist()]


FORMAT = FileFormat(
    names=("npz",), magic=rb"PK\x03\x04", endings=r"\.npz", read=read, kind="npz", in_folders=False
)
