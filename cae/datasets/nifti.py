"""NIfTI volumes, read with nibabel, an optional extra: slice by slice along the third axis, and on.

A slice has the second axis as rows and the first as columns; nothing is flipped. Values are stored value ×
slope + intercept, float32; as stored where these change nothing. Only the header is nibabel's: it would
unpack a .nii.gz from its beginning for every slice.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from cae.datasets.file_types import unpacked
from cae.datasets.intensity import rescaled
from cae.datasets.safety import RefusedError, check_size, check_type, exactly, extra
from cae.datasets.samples import Frame, native

# A header and its extensions; those of real files have some kilobytes.
LARGEST_HEADER = 2**26
SIZES = {348: "Nifti1Header", 540: "Nifti2Header"}


def require() -> None:
    """Raise UserError unless nibabel is installed."""
    extra("nibabel", "NIfTI")


def frames(path: Path) -> Iterator[Frame]:
    """Read the slices of a volume, gzipped or plain: (H, W), whole numbers or floats.

    Raises:
        RefusedError: it is truncated or too large, or holds other values or no pixels.
        Exception: whatever nibabel raises for a damaged header.
    """
    with unpacked(path) as stream:
        header = read_header(stream)
        width, height, *more = map(int, header.get_data_shape())
        dtype = header.get_data_dtype()
        check_type(dtype)
        check_size(height, width, itemsize=dtype.itemsize)
        if min(more, default=1) < 1:
            raise RefusedError(f"holds no slices: its shape is {header.get_data_shape()}. Save it again.")
        slope, intercept = header.get_slope_inter()
        count = math.prod(more)
        for _ in range(count):
            stored = np.frombuffer(exactly(stream, height * width * dtype.itemsize), dtype)
            yield Frame(rescaled(native(stored.reshape(height, width)), slope, intercept), several=count > 1)
        # To meet the end is to compare the checksum of a .gz.
        stream.read(1)


def read_header(stream: IO[bytes]) -> Any:
    """Read a header and go on to the values.

    Raises:
        RefusedError: there is none, or the values lie in another file or far away.
    """
    nibabel = extra("nibabel", "NIfTI")
    stored = exactly(stream, 4)
    size = next(
        (size for size in SIZES for order in ("<", ">") if stored == np.array(size, f"{order}i4").tobytes()),
        0,
    )
    if not size:
        raise RefusedError(f"begins with {stored.hex()}, not as NIfTI does. Save it as NIfTI again.")
    header = getattr(nibabel, SIZES[size])(stored + exactly(stream, size - 4), check=False)
    if not bytes(header["magic"]).startswith(b"n+"):
        raise RefusedError("has its values in a second file (.img), which is not read. Save it as one .nii.")
    offset = header.get_data_offset()
    if not size <= offset <= LARGEST_HEADER:
        raise RefusedError(
            f"has its values at byte {offset}: {size} to {LARGEST_HEADER} are read. Save it again."
        )
    exactly(stream, int(offset) - size)
    return header
