"""What the studies that draw their own images share."""

import io
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy.typing as npt
from PIL import Image
from pydantic import AfterValidator, Field

from cae.core import files

Item = TypeVar("Item", bound=float)


def check_range(values: tuple[Item, Item]) -> tuple[Item, Item]:
    """Refuse a range that ends below its start."""
    if values[0] > values[1]:
        raise ValueError(f"{list(values)} must be [least, greatest], but the first is greater: swap them")
    return values


Range = Annotated[tuple[Item, Item], Field(strict=False), AfterValidator(check_range)]
"""The least and the greatest value, both included."""


def write_png(path: Path, pixels: npt.NDArray[Any]) -> None:
    """Write a grey image uint8 or uint16 (H, W), uncompressed: the bytes depend on no compression library."""
    with io.BytesIO() as buffer:
        Image.fromarray(pixels).save(buffer, format="png", compress_level=0)
        files.write_bytes(path, buffer.getvalue())
