"""PGM and PPM: a line of text, then the values, which are not rescaled.

Format: https://netpbm.sourceforge.net/doc/pgm.html.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cae.datasets.formats import FileFormat
from cae.datasets.safety import BYTES, UnsupportedError, check_size, read_exactly
from cae.datasets.samples import Pixels, Sample, to_native_byte_order

GAP = rb"(?:\s|#[^\n]*\n)+"
HEADER = re.compile(rb"P([2356])" + 3 * (GAP + rb"(\d{1,9})") + rb"\s")
# The header may hold comments, in practice short ones.
LONGEST_HEADER = 2**12


def read(path: Path, name: str) -> Iterator[Sample]:
    """Read the image of a file."""
    yield Sample(name, decode(path), group=name)


def decode(path: Path) -> Pixels:
    """Decode a raw or plain file: (H, W) or (H, W, 3), uint8 up to a maximum of 255, else uint16 (H, W).

    Raises:
        UnsupportedError: it is damaged, too large or holds several images.
    """
    with path.open("rb") as stream:
        header = HEADER.match(stream.read(LONGEST_HEADER))
        if header is None:
            raise UnsupportedError(
                "has a damaged header: width, height and maximum are needed. Export it again."
            )
        kind, width, height, maximum = map(int, header.groups())
        coloured, plain = kind in (3, 6), kind in (2, 3)
        if not 0 < maximum < 2**16:
            raise UnsupportedError(
                f"has the maximum {maximum} in its header: it must be 1 to 65535. Export it again."
            )
        if maximum > 255 and coloured:
            raise UnsupportedError(
                "holds colours with 16 bits per channel: colours with 8 bits and grey with 16 bits are "
                "supported. Convert it."
            )
        shape = (height, width, 3) if coloured else (height, width)
        dtype = np.dtype(">u2" if maximum > 255 else "u1")
        check_size(height, width, 3 if coloured else 1, dtype.itemsize)
        stream.seek(header.end())
        count = int(np.prod(shape))
        if plain:
            values = parse_text(stream.read(BYTES), count)
        else:
            values = np.frombuffer(read_exactly(stream, count * dtype.itemsize), dtype)
            if stream.read(1):
                raise UnsupportedError("holds more than one image. Split it into one file per image.")
    if values.size and not 0 <= values.min() <= values.max() <= maximum:
        raise UnsupportedError(
            f"holds values from {values.min()} to {values.max()}, outside 0 to its maximum {maximum}."
        )
    return to_native_byte_order(values.astype(dtype, copy=False)).reshape(shape)


def parse_text(text: bytes, count: int) -> Pixels:
    """Parse integers written as text: int64 (count,); UnsupportedError if there are more or fewer."""
    values = np.fromstring(text, np.int64, sep=" ")
    if values.size != count:
        raise UnsupportedError(f"announces {count} values, but {values.size} can be read. Export it again.")
    return values


FORMAT = FileFormat(names=("PGM", "PPM"), magic=rb"P[2356]\s+[#\d]", endings=r"\.(pgm|pnm|ppm)", read=read)
