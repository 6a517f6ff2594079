"""What commands write, and what they must not write over."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image

from cae.core import files
from cae.core.errors import UserError
from cae.datasets import file_types
from cae.metrics.error_maps import ErrorMap

# Black where the reconstruction is right, the lighter the more it is wrong; as the pipeline's pictures.
COLOURS = matplotlib.colormaps["magma"]
# A name on the disk has 255 bytes at most, and while it is written some more belong to it.
LONGEST = 230


class Folder:
    """A folder of PNGs, one a picture."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: set[str] = set()

    def add(self, name: str, levels: npt.NDArray[np.uint8]) -> None:
        """Write NAME.png of grey or RGB levels, (H, W) or (H, W, 3).

        Raises:
            UserError: another picture had this name, it is too long, or the file cannot be written.
        """
        check_name(name, self.written)
        self.written.add(name)
        with files.open_atomically(self.path / f"{name}.png") as file:
            Image.fromarray(levels).save(file, format="png")


def check_name(name: str, taken: Collection[str]) -> None:
    """Raise UserError where no file can be called after a picture: another is, or its name is too long."""
    if name in taken:
        raise UserError(
            f"two pictures are called {name!r}, a file and a page of another: rename one of the files"
        )
    if len(os.fsencode(Path(name).name)) > LONGEST:
        raise UserError(f"the name {name!r} has more than {LONGEST} bytes: shorten that of the file")


def coloured(errors: ErrorMap) -> npt.NDArray[np.uint8]:
    """Paint how wrong each pixel is, from 0, black, to 1, light yellow: (H, W) → RGB (H, W, 3)."""
    return COLOURS(errors, bytes=True)[..., :3]


def printable(name: str) -> str:
    """Write those bytes of a file's name that are no UTF-8 in hexadecimal, so that a text can hold it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def check_apart(files: Sequence[Path], folders: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Raise UserError where a command would write over what it reads, or next time read what it writes.

    Args:
        files: to be written.
        folders: to be filled with pictures.
        inputs: files and folders to be read.
    """
    for read in inputs:
        for out in (*files, *folders):
            if out.resolve() == read.resolve():
                raise UserError(f"{out} would be written over what is read: name another place")
        for out in folders:
            if read.is_dir() and out.resolve().is_relative_to(read.resolve()):
                raise UserError(f"{out} lies in {read}, which is read: name another place")
    for out in files:
        if out.is_file() and file_types.kind_of(out) not in (None, "npz"):
            raise UserError(f"{out} is a picture, and would be written over: name another file")
