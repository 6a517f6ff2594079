"""IDX, the format of the MNIST family: a magic number, big-endian sizes, then the values row by row.

Format: http://yann.lecun.com/exdb/mnist/ (at the foot of the page).
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError

# Two zero bytes, the type of the values (08: unsigned byte), the number of dimensions.
LABELS_MAGIC = bytes.fromhex("00000801")
IMAGES_MAGIC = bytes.fromhex("00000803")
GZIP_MAGIC = bytes.fromhex("1f8b")


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read one IDX file, gzipped or plain whatever its name.

    Returns:
        uint8 (N, rows, columns) for images, uint8 (N,) for labels; read only.

    Raises:
        UserError: the file cannot be read, is damaged or is not such an IDX file.
    """
    try:
        return decode(content(path))
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}. Put a file there that you may read."
        ) from error
    except ValueError as error:
        raise UserError(f"{path}: {error}. Fetch or copy the file again.") from error


def content(path: Path) -> bytes:
    """Read the bytes of a file, unpacked where they are gzipped.

    Raises:
        OSError: the file cannot be read.
        ValueError: its gzip stream is truncated or damaged.
    """
    stored = path.read_bytes()
    try:
        # People rename files after unpacking, or before: the content decides.
        return gzip.decompress(stored) if stored.startswith(GZIP_MAGIC) else stored
    except EOFError as error:
        raise ValueError("the gzip stream is truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"the gzip stream is damaged ({error})") from error


def decode(stored: bytes) -> npt.NDArray[np.uint8]:
    """Turn the bytes of an unpacked IDX file into uint8 (N, rows, columns) or (N,), read only.

    Raises:
        ValueError: wrong magic number, or sizes that do not fit the number of bytes.
    """
    magic = stored[:4]
    if magic not in (IMAGES_MAGIC, LABELS_MAGIC):
        beginning = magic.hex() or "nothing"
        raise ValueError(
            "not an IDX file of images or labels: "
            f"it begins with {beginning}, not {IMAGES_MAGIC.hex()} (images) or {LABELS_MAGIC.hex()} (labels)"
        )
    dimensions = magic[3]
    header = 4 + 4 * dimensions
    if len(stored) < header:
        raise ValueError(f"truncated inside its header: {len(stored)} of {header} bytes")
    sizes = struct.unpack_from(f">{dimensions}I", stored, 4)
    shape = "×".join(map(str, sizes))
    if 0 in sizes:
        raise ValueError(f"its header announces {shape} values: every size must be at least 1")
    if len(stored) - header != math.prod(sizes):
        raise ValueError(
            f"its header announces {shape} = {math.prod(sizes)} values, but {len(stored) - header} follow"
        )
    return np.frombuffer(stored, np.uint8, offset=header).reshape(sizes)
