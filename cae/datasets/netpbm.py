"""Netpbm, the format of PGM and PPM: a line of text, then the values; read as they are, not rescaled.

Format: https://netpbm.sourceforge.net/doc/pgm.html.
"""

import re
from pathlib import Path

import numpy as np

from cae.datasets.safety import BYTES, RefusedError, check_size, exactly
from cae.datasets.samples import Pixels, native

GAP = rb"(?:\s|#[^\n]*\n)+"
HEADER = re.compile(rb"P([2356])" + 3 * (GAP + rb"(\d{1,9})") + rb"\s")
# Comments are allowed in it, but nobody writes a book there.
LONGEST_HEADER = 2**12


def read(path: Path) -> Pixels:
    """Read a PGM or PPM, raw or plain: (H, W) or (H, W, 3), uint8 up to a maximum of 255, else uint16 (H, W).

    Raises:
        RefusedError: it is damaged, too large or holds several pictures.
    """
    with path.open("rb") as stream:
        header = HEADER.match(stream.read(LONGEST_HEADER))
        if header is None:
            raise RefusedError("has a damaged header: width, height and maximum are needed. Export it again.")
        kind, width, height, maximum = map(int, header.groups())
        shape = (height, width, 3) if kind in (3, 6) else (height, width)
        if not 0 < maximum < 2**16:
            raise RefusedError(f"announces the maximum {maximum}: 1 to 65535 are read. Export it again.")
        if maximum > 255 and kind in (3, 6):
            raise RefusedError(
                "holds colours of 16 bits a channel: 8 are read, or 16 bits of grey. Convert it."
            )
        dtype = np.dtype(">u2" if maximum > 255 else "u1")
        check_size(height, width, 3 if kind in (3, 6) else 1, dtype.itemsize)
        stream.seek(header.end())
        count = int(np.prod(shape))
        if kind in (2, 3):
            values = plain(stream.read(BYTES), count)
        else:
            values = np.frombuffer(exactly(stream, count * dtype.itemsize), dtype)
            if stream.read(1):
                raise RefusedError("goes on after its first picture: one a file is read. Split it.")
    if values.size and not 0 <= values.min() <= values.max() <= maximum:
        raise RefusedError(
            f"holds values from {values.min()} to {values.max()}, above its maximum {maximum}."
        )
    return native(values.astype(dtype, copy=False)).reshape(shape)


def plain(text: bytes, count: int) -> Pixels:
    """Read whole numbers written as text: int64 (count,); RefusedError where there are more or fewer."""
    values = np.fromstring(text, np.int64, sep=" ")
    if values.size != count:
        raise RefusedError(f"announces {count} values, and {values.size} can be read. Export it again.")
    return values
