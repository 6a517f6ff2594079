"""Projects of InVesalius: a gzipped tar of a raw matrix and of property lists, one of which describes it."""

import plistlib
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from xml.parsers.expat import ExpatError

import numpy as np
import numpy.typing as npt

from cae.core.errors import UserError

DESCRIPTION = "main.plist"
# What the standard library raises for a damaged or another file, and what reading its content can raise.
DAMAGED = (OSError, EOFError, tarfile.TarError, zlib.error, ExpatError, LookupError, TypeError, ValueError)
Volume = npt.NDArray[np.int16]
"""(slices, rows, columns), in Hounsfield units."""


class Scan(NamedTuple):
    """A volume, and the distances of its slices, rows and columns in mm."""

    volume: Volume
    spacing: tuple[float, float, float]


def read(path: Path) -> Scan:
    """Read the volume of a project; nothing is unpacked to the disk.

    Raises:
        UserError: the file cannot be read, or has no description of a volume of int16.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            return read_scan(archive)
    except DAMAGED as error:
        raise UserError(
            f"{path} cannot be read as a project of InVesalius ({error}): a gzipped tar with {DESCRIPTION} "
            "and a matrix of int16 is needed. Move it away to have it fetched again."
        ) from error


def read_scan(archive: tarfile.TarFile) -> Scan:
    """Read the description and the matrix that it names; raises one of DAMAGED."""
    names = [name for name in archive.getnames() if PurePosixPath(name).name == DESCRIPTION]
    if len(names) != 1:
        raise LookupError(f"it has {len(names)} files {DESCRIPTION}")
    description = plistlib.loads(read_member(archive, PurePosixPath(names[0])), fmt=plistlib.FMT_XML)
    matrix = description["matrix"]
    if matrix["dtype"] != "int16":
        raise ValueError(f"its matrix has the type {matrix['dtype']}")
    raw = read_member(archive, PurePosixPath(names[0]).with_name(matrix["filename"]))
    # Columns come first in the list of distances and last in the matrix.
    columns, rows, slices = map(float, description["spacing"])
    return Scan(np.frombuffer(raw, "<i2").reshape(matrix["shape"]), (slices, rows, columns))


def read_member(archive: tarfile.TarFile, name: PurePosixPath) -> bytes:
    """Read a file of the archive; LookupError where it is none."""
    stream = archive.extractfile(str(name))
    if stream is None:
        raise LookupError(f"{name} is no file")
    return stream.read()
