"""What stands between files of unknown origin and the rest: limits, links, and one kind of error."""

import importlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO, Any, TypeVar

import numpy as np

from cae.core import words
from cae.core.errors import UserError

# The largest picture: 8192 × 8192, and 256 MiB once decoded. Decoders need a few times that.
PIXELS = 2**26
BYTES = 2**28
# What is read at once: a file that announces more than it holds costs no memory.
CHUNK = 2**20
Item = TypeVar("Item")


class RefusedError(Exception):
    """A file cannot be used; the message follows its name: what was found, what is allowed, how to fix it."""


def quoted(name: Path | str) -> str:
    """Write a name as a Python string, so that a newline or a blank in it shows."""
    return repr(str(name))


def guarded(path: Path, items: Iterator[Item]) -> Iterator[Item]:
    """Pass on what a decoder makes of the file `path`, its warnings silenced.

    Raises:
        UserError: the decoder raised anything at all; the message names the file.
    """
    while True:
        try:
            with warnings.catch_warnings():
                # Decoders warn of oddities in metadata; what harms the pixels they raise.
                warnings.simplefilter("ignore")
                item = next(items)
        except StopIteration:
            return
        except UserError:
            raise
        except RefusedError as error:
            raise UserError(f"{quoted(path)} {error}") from error
        except Exception as error:  # decoders raise whatever their parsers stumble over
            raise UserError(f"{quoted(path)} {damage(error)}") from error
        yield item


def damage(error: Exception) -> str:
    """Say in one line what a decoder met, and how to fix it."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}. Put a file there that you may read, or leave it out."
    # A private name tells a user nothing.
    name = type(error).__name__
    kind = "" if name.startswith("_") else f"{name}: "
    reason = f"{kind}{error}".partition("\n")[0][:200]
    return f"is damaged or of an unknown kind ({reason}). Copy or export it again, or leave it out."


class Clamped(io.BufferedReader):
    """A file to read that asks for no more memory than it has bytes, whatever a header in it announces."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self.total = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, or all that are left."""
        left = max(0, self.total - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def check_size(height: int, width: int, channels: int = 1, itemsize: int = 1) -> None:
    """Raise RefusedError unless a picture of that size has 1 or 3 channels and fits the limits."""
    if min(height, width) < 1 or channels not in (1, 3):
        raise RefusedError(
            f"holds pictures of {height}×{width}×{channels}: every side must be at least 1 pixel, "
            "and 1 or 3 channels are read. Save it as a grey or an RGB picture."
        )
    if height * width > PIXELS or height * width * channels * itemsize > BYTES:
        raise RefusedError(
            f"holds a picture of {height}×{width} with {channels * itemsize} bytes a pixel: at most "
            f"{PIXELS:,} pixels and {BYTES:,} bytes are decoded. Cut it into smaller ones, or leave it out."
        )


def check_type(dtype: np.dtype[Any]) -> None:
    """Raise RefusedError unless pixels are integers or floats of at most 64 bits."""
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise RefusedError(
            f"holds values of type {dtype}: whole numbers and floats of at most 64 bits are read. Convert it."
        )


def exactly(stream: IO[bytes], count: int) -> bytes:
    """Read `count` bytes.

    Raises:
        RefusedError: the stream ends before.
    """
    parts, missing = [], count
    while missing:
        part = stream.read(min(missing, CHUNK))
        if not part:
            raise RefusedError(
                f"is truncated: {words.pluralize(missing, 'byte')} missing at its end. Copy or export it "
                "again."
            )
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def check_within(root: Path, path: Path) -> None:
    """Raise RefusedError where a link leads out of the folder `root`, to a folder or to nothing."""
    below = len(path.relative_to(root).parts)
    if not any(place.is_symlink() for place in (path, *path.parents[: below - 1])):
        return
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise RefusedError("is a link that leads to nothing. Remove it, or put the file there.") from error
    if not target.is_relative_to(root.resolve()):
        raise RefusedError(
            f"is a link to {quoted(target)}, outside of the source. Put a copy of the file there instead."
        )
    if not target.is_file():
        raise RefusedError("is a link to a folder: its pictures would come twice. Remove it.")


def extra(module: str, needed_for: str, name: str = "medical") -> ModuleType:
    """Import a module of the optional extra `name`.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{needed_for} needs the package {module.partition('.')[0]}, which is not installed. "
            f"Install it with: pip install '.[{name}]'"
        ) from error
