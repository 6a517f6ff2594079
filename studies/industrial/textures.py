"""The textures inside scikit-image's wheel, and the tiles that they are cut into."""

from collections.abc import Collection
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from cae.core.errors import UserError

GreyLevels = npt.NDArray[np.uint8]
"""(H, W), of a texture or a tile."""

Texture = Literal["brick", "gravel", "grass"]
TEXTURES: tuple[Texture, ...] = get_args(Texture)
SIDE = 512


def read(name: Texture) -> GreyLevels:
    """Read a texture, (512, 512); UserError where the installed scikit-image does not have it."""
    try:
        with (files("skimage.data") / f"{name}.png").open("rb") as file:
            return np.asarray(Image.open(file))
    except OSError as error:
        raise UserError(
            f"{name}.png is not inside the installed scikit-image ({error.strerror}): install the version "
            "that requirements.txt names"
        ) from error


def cut(texture: GreyLevels, bands: Collection[int], size: int, stride: int) -> dict[str, GreyLevels]:
    """Cut tiles (size, size) from some bands of `size` rows: ROW_COLUMN of the upper left pixel → tile."""
    height, width = texture.shape
    return {
        f"{row:03}_{column:03}": texture[row : row + size, column : column + size]
        for row in range(0, height - size + 1, stride)
        # A tile that begins between two bands reaches into the lower one.
        if {row // size, (row + size - 1) // size} <= set(bands)
        for column in range(0, width - size + 1, stride)
    }
