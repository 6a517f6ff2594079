"""Formats of image files.

To add a format, add one module here that defines FORMAT, a `FileFormat`. The modules are found by name; no
list of them has to be kept, and error messages name the new format as well.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from cae.datasets.safety import GZIP_MAGIC
from cae.datasets.samples import Entry, Sample

IMAGE_FILES = "image files"
# Bytes at the beginning of a file that `FileFormat.magic` is matched with.
HEAD = 512


@dataclass(frozen=True, eq=False)
class FileFormat:
    """How files of one format are detected and read."""

    # As error messages list them, such as PNG and JPEG; empty for a format that is detected and refused.
    names: Sequence[str]
    # A regular expression that the first bytes of such a file match.
    magic: bytes
    # A regular expression for the endings of file names, upper or lower case.
    endings: str
    # (path, name of the file in messages) → its samples. What it raises becomes an error that names the file.
    read: Callable[[Path, str], Iterator[Sample]]
    # Files of different kinds cannot be mixed in a folder.
    kind: str = IMAGE_FILES
    # Whether files may be gzipped as a whole.
    gzipped: bool = False
    # False if one file is a whole dataset, so that it has to be named itself.
    in_folders: bool = True
    # Whether pixels are in physical units, whatever the type they are stored in.
    calibrated: bool = False
    # The optional package that reads it.
    package: str = ""
    # Formats with a higher priority are tried first.
    priority: int = 0
    # List the files of a folder whose layout belongs to this format; nothing for any other folder.
    list_folder: Callable[[Path], Sequence[Entry]] | None = None


@cache
def list_formats() -> Sequence[FileFormat]:
    """Import the modules of this package and return their formats, in the order in which they are tried."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    formats: list[FileFormat] = [module.FORMAT for module in modules]
    return sorted(formats, key=lambda file_format: -file_format.priority)


def describe_supported() -> str:
    """Return the names of all formats that can be read, for an error message."""
    *names, last = sorted(name for file_format in list_formats() for name in file_format.names)
    return f"{', '.join(names)} and {last} are supported"


def detect_format(path: Path) -> FileFormat | None:
    """Detect the format of a file from its first bytes or, if they tell nothing, from its name.

    Raises:
        OSError: it cannot be read.
    """
    head = read_head(path)
    candidates = list_formats()
    if not (found := match_magic(head, candidates)) and head.startswith(GZIP_MAGIC):
        gzipped = [file_format for file_format in candidates if file_format.gzipped]
        found = match_magic(unpack_head(path), gzipped)
    return found or split_ending(path.name)[2]


def match_magic(head: bytes, formats: Sequence[FileFormat]) -> FileFormat | None:
    """Return the first format whose magic bytes a file begins with."""
    return next((one for one in formats if re.match(one.magic, head, re.DOTALL)), None)


def split_ending(name: str) -> tuple[str, str, FileFormat | None]:
    """Split a file's name before the ending of a known format; the name, "" and None if it has none."""
    for file_format in list_formats():
        if found := re.search(rf"({file_format.endings})\Z", name, re.IGNORECASE):
            return name[: found.start()], found[0], file_format
    return name, "", None


def read_head(path: Path) -> bytes:
    """Read the first bytes of a file; none of anything but a regular file, whose opening might block."""
    if not path.is_file():
        return b""
    with path.open("rb") as stream:
        return stream.read(HEAD)


def unpack_head(path: Path) -> bytes:
    """Read the first bytes of a gzipped file, unpacked; none if it is damaged."""
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read(HEAD)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return b""
