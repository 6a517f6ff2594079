"""NIfTI volumes, read with the optional package nibabel: slice by slice along the third and further axes.

A slice has the second axis as rows and the first as columns; nothing is flipped. Values are stored value ×
slope + intercept, float32; as stored if that changes nothing. Only the header is read by nibabel, which would
unpack a .nii.gz from its beginning for every slice.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from cae.datasets.formats import FileFormat
from cae.datasets.intensity import apply_slope
from cae.datasets.safety import (
    UnsupportedError,
    check_size,
    check_type,
    import_extra,
    open_unpacked,
    read_exactly,
)
from cae.datasets.samples import Sample, to_native_byte_order

# A header with its extensions; those of real files have some kilobytes.
LARGEST_HEADER = 2**26
CLASSES = {348: "Nifti1Header", 540: "Nifti2Header"}


def read(path: Path, name: str) -> Iterator[Sample]:
    """Read the slices of a volume, gzipped or plain: (H, W), integers or floats.

    Raises:
        UnsupportedError: it is truncated or too large, or holds other values or no pixels.
        Exception: whatever nibabel raises for a damaged header.
    """
    with open_unpacked(path) as stream:
        header = read_header(stream)
        width, height, *others = map(int, header.get_data_shape())
        dtype = header.get_data_dtype()
        check_type(dtype)
        check_size(height, width, itemsize=dtype.itemsize)
        if min(others, default=1) < 1:
            raise UnsupportedError(f"holds no slices: its shape is {header.get_data_shape()}. Save it again.")
        slope, intercept = header.get_slope_inter()
        count = math.prod(others)
        for index in range(count):
            stored = np.frombuffer(read_exactly(stream, height * width * dtype.itemsize), dtype)
            pixels = apply_slope(to_native_byte_order(stored.reshape(height, width)), slope, intercept)
            yield Sample(f"{name}#{index}" if count > 1 else name, pixels, group=name)
        # Reading to the end checks the checksum of a .gz.
        stream.read(1)


def read_header(stream: IO[bytes]) -> Any:
    """Read the header and move on to the values.

    Raises:
        UnsupportedError: there is none, or the values are in another file or far away.
    """
    stored = read_exactly(stream, 4)
    sizes = {np.array(size, f"{order}i4").tobytes(): size for size in CLASSES for order in "<>"}
    if stored not in sizes:
        raise UnsupportedError(f"begins with {stored.hex()}, not as NIfTI does. Save it as NIfTI again.")
    size = sizes[stored]
    header_class = getattr(import_extra("nibabel", "NIfTI"), CLASSES[size])
    header = header_class(stored + read_exactly(stream, size - 4), check=False)
    if not bytes(header["magic"]).startswith(b"n+"):
        raise UnsupportedError(
            "has its values in a second file (.img), which is not supported. Save it as one .nii."
        )
    offset = header.get_data_offset()
    if not size <= offset <= LARGEST_HEADER:
        raise UnsupportedError(
            f"has its values at byte {offset}: it must be {size} to {LARGEST_HEADER}. Save it again."
        )
    read_exactly(stream, int(offset) - size)
    return header


FORMAT = FileFormat(
    names=("NIfTI",),
    magic=rb"(.{344}n(\+|i)1\0|.{4}n(\+|i)2\0)",
    endings=r"\.nii(\.gz)?",
    read=read,
    kind="NIfTI",
    gzipped=True,
    calibrated=True,
    package="nibabel",
    # Its magic bytes are far from the beginning, where another format's may be.
    priority=-1,
)
