"""A folder of PNG files, one for each image."""

import os
from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cae.core import files
from cae.core.errors import UserError

# A file name has at most 255 bytes, and the temporary name while it is written adds some.
LONGEST = 230


class ImageFolder:
    """Writes images into a folder, as NAME.png; no two have the same name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: set[str] = set()

    def write(self, name: str, pixels: npt.NDArray[np.uint8]) -> None:
        """Write a grey or RGB image, (H, W) or (H, W, 3), as NAME.png; the name may hold folders.

        Raises:
            UserError: `check_name`, or the file cannot be written.
        """
        check_name(name, self.names)
        self.names.add(name)
        with files.open_atomically(self.path / f"{name}.png") as file:
            Image.fromarray(pixels).save(file, format="png")


def check_name(name: str, taken: Collection[str]) -> None:
    """Raise UserError if an image's name is taken by another image, or too long for a file."""
    if name in taken:
        raise UserError(
            f"two images would both be written to {name}.png, a file and a page of another file: rename one "
            "of the files"
        )
    if len(os.fsencode(Path(name).name)) > LONGEST:
        raise UserError(f"the file name {name!r} has more than {LONGEST} bytes: shorten it")
