"""Read files of unknown origin safely: limits on sizes and links, and errors that name the file."""

import gzip
import importlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO, Any, TypeVar, cast

import numpy as np

from cae.core import words
from cae.core.errors import UserError

# The largest image: 8192 × 8192, and 256 MiB once decoded. Decoders need a few times that.
PIXELS = 2**26
BYTES = 2**28
# Bytes read at once: a file that announces more than it holds costs no memory.
CHUNK = 2**20
GZIP_MAGIC = bytes.fromhex("1f8b")
Item = TypeVar("Item")


class UnsupportedError(Exception):
    """A file cannot be used. The message continues the file's name: what it holds, what is supported."""


def quote(name: Path | str) -> str:
    """Write a name as a Python string, so that newlines and blanks in it show."""
    return repr(str(name))


def convert_errors(path: Path, items: Iterator[Item]) -> Iterator[Item]:
    """Yield what is decoded from the file `path`, without the decoder's warnings.

    Raises:
        UserError: the decoder raised anything at all; the message names the file.
    """
    while True:
        try:
            with warnings.catch_warnings():
                # Decoders warn of oddities in metadata; they raise where pixels are affected.
                warnings.simplefilter("ignore")
                item = next(items)
        except StopIteration:
            return
        except UserError:
            raise
        except Exception as error:  # decoders raise whatever their parsers stumble over
            raise UserError(f"{quote(path)} {describe_error(error)}") from error
        yield item


def describe_error(error: Exception) -> str:
    """Describe in one line why a file could not be decoded, and how to fix it; continues the file's name."""
    if isinstance(error, UnsupportedError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}. Make it readable, or remove it."
    # A private class name tells a user nothing.
    name = type(error).__name__
    kind = "" if name.startswith("_") else f"{name}: "
    reason = f"{kind}{error}".partition("\n")[0][:200]
    return f"is damaged or in an unknown format ({reason}). Copy or export it again, or remove it."


class BoundedFile(io.BufferedReader):
    """A file opened for reading that never allocates more than its own size, whatever its header says."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.total = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, or all that are left."""
        left = max(0, self.total - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def open_unpacked(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked if it is gzipped, whatever its name."""
    with path.open("rb") as stored:
        gzipped = stored.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return cast(IO[bytes], gzip.open(path, "rb")) if gzipped else path.open("rb")


def read_exactly(stream: IO[bytes], count: int) -> bytes:
    """Read `count` bytes; UnsupportedError if the stream ends before."""
    parts, missing = [], count
    while missing:
        part = stream.read(min(missing, CHUNK))
        if not part:
            raise UnsupportedError(
                f"is truncated: {words.pluralize(missing, 'byte')} missing at its end. Copy or export it "
                "again."
            )
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def check_size(height: int, width: int, channels: int = 1, itemsize: int = 1) -> None:
    """Raise UnsupportedError unless an image of that size has 1 or 3 channels and is within the limits."""
    if min(height, width) < 1 or channels not in (1, 3):
        raise UnsupportedError(
            f"holds images of {height}×{width}×{channels}: every side must be at least 1 pixel, "
            "with 1 or 3 channels. Save it as a grey or RGB image."
        )
    if height * width > PIXELS or height * width * channels * itemsize > BYTES:
        raise UnsupportedError(
            f"holds an image of {height}×{width} with {channels * itemsize} bytes per pixel: at most "
            f"{PIXELS:,} pixels and {BYTES:,} bytes are supported. Cut it into smaller ones, or remove it."
        )


def check_type(dtype: np.dtype[Any]) -> None:
    """Raise UnsupportedError unless pixels are integers or floats of at most 64 bits."""
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise UnsupportedError(
            f"holds values of type {dtype}: integers and floats of at most 64 bits are supported. Convert it."
        )


def check_inside(root: Path, path: Path) -> None:
    """Raise UserError if a link leads out of the folder `root`, to a folder or to nothing."""
    below = len(path.relative_to(root).parts)
    if not any(parent.is_symlink() for parent in (path, *path.parents[: below - 1])):
        return
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{quote(path)} is a link that leads to nothing. Remove it, or add the file."
        ) from error
    if not target.is_relative_to(root.resolve()):
        raise UserError(
            f"{quote(path)} is a link to {quote(target)}, outside the source. Put a copy of the file there."
        )
    if not target.is_file():
        raise UserError(f"{quote(path)} is a link to a folder, whose images would be read twice. Remove it.")


def import_extra(module: str, needed_for: str, extra: str = "medical") -> ModuleType:
    """Import a module of the optional dependencies `extra`; UserError if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{needed_for} needs the package {module.partition('.')[0]}, which is not installed. "
            f"Install it with: pip install '.[{extra}]'"
        ) from error
