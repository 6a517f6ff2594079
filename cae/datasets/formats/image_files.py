"""PNG, JPEG, BMP and TIFF with one or more pages, read with Pillow: pixels as stored.

Only this is changed: fewer than 8 bits are scaled to 0 to 255, as every viewer does; a palette becomes RGB,
or grey if all its colours are grey; the rotation in EXIF is applied; a fully opaque alpha channel is dropped.
CMYK, transparency, animations and 16-bit colour are refused, because there are several ways to convert them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin

from cae.datasets.formats import HEAD, FileFormat
from cae.datasets.formats.unsupported import describe_refusal
from cae.datasets.safety import PIXELS, BoundedFile, UnsupportedError, check_size
from cae.datasets.samples import Pixels, Sample, to_native_byte_order

# Pillow's name of each format → the first bytes of such a file.
MAGIC = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "TIFF": rb"(II[*+]\0|MM\0[*+])",
    # The size of the following header tells a BMP from a text that begins with BM.
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
}
# Pillow's mode → the mode it is converted to; a grey palette becomes L.
MODES = {
    "1": "L",
    "L": "L",
    "LA": "L",
    "RGB": "RGB",
    "RGBA": "RGB",
    "P": "RGB",
    "PA": "RGB",
    "I;16": "I;16",
    "I;16B": "I;16B",
    "I": "I",
    "F": "F",
}
# Layouts in the file that Pillow widens or reinterprets → the type of the stored values.
STORED = {"I;16S": "i2", "I;16BS": "i2", "I;32N": "u4"}
SAMPLE_FORMAT, SIGNED = 339, 2
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
SUBFILE, REDUCED = 254, 1


def read(path: Path, name: str) -> Iterator[Sample]:
    """Read the image of a file, or one per page of a TIFF.

    Pixels: uint8 (H, W) or (H, W, 3); uint16, int16, int32, uint32 or float32 (H, W).

    Raises:
        UnsupportedError: what it holds is not supported or too large.
        Exception: whatever Pillow raises for a damaged file.
    """
    pillow_name = detect_pillow_name(path)
    try:
        if pillow_name == "PNG":
            verify_checksums(path)
        # Given the path, Pillow maps uncompressed pixels into memory, and scrambles those that are rotated.
        with BoundedFile(path) as stream, Image.open(stream, formats=(pillow_name,)) as image:
            if pillow_name == "PNG" and getattr(image, "is_animated", False):
                raise UnsupportedError("is an animated PNG. Save its frames one by one.")
            pages = list_pages(image)
            for index, page in enumerate(pages):
                image.seek(page)
                yield Sample(f"{name}#{index}" if len(pages) > 1 else name, decode(image), group=name)
    except Image.DecompressionBombError as error:
        raise UnsupportedError(
            f"is too large: at most {PIXELS:,} pixels are supported. Cut it into smaller ones, or remove it."
        ) from error


def detect_pillow_name(path: Path) -> str:
    """Return Pillow's name of the format that a file has by its content; UnsupportedError if none."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    for pillow_name, magic in MAGIC.items():
        if re.match(magic, head, re.DOTALL):
            return pillow_name
    raise UnsupportedError(describe_refusal(head))


def verify_checksums(path: Path) -> None:
    """Compare the checksums of a PNG, which decoding alone skips; raises what Pillow does."""
    with BoundedFile(path) as stream, Image.open(stream, formats=("PNG",)) as image:
        image.verify()


def list_pages(image: Image.Image) -> list[int]:
    """List the pages of a TIFF, without thumbnails of other pages; one page for every other format.

    Raises:
        UnsupportedError: all are thumbnails, as in a camera's raw file.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return [0]
    pages = []
    for page in range(image.n_frames):
        image.seek(page)
        if not image.tag_v2.get(SUBFILE, 0) & REDUCED:
            pages.append(page)
    if not pages:
        raise UnsupportedError("holds only a thumbnail of its image. Export it as a plain TIFF.")
    return pages


def decode(image: Image.Image) -> Pixels:
    """Decode the current page and apply its rotation; see `read` for shapes and types.

    Raises:
        UnsupportedError: its mode is not supported, or it is too large.
    """
    check_size(image.height, image.width, 3 if image.mode.startswith("RGB") else 1)
    layout = find_stored_layout(image)
    check_mode(image, layout)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    check_opaque(image)
    mode = "L" if has_grey_palette(image) else MODES[image.mode]
    values = to_native_byte_order(np.asarray(image if image.mode == mode else image.convert(mode)))
    if layout not in STORED:
        return values
    # 16 bits fit again as they came; 32 bits are the same bits without a sign.
    return values.astype(STORED[layout]) if STORED[layout] == "i2" else values.view(STORED[layout])


def find_stored_layout(image: Image.Image) -> str:
    """Return Pillow's name for the layout of the values in the file, before they are decoded."""
    arguments = image.tile[0].args  # type: ignore[attr-defined]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def check_mode(image: Image.Image, layout: str) -> None:
    """Raise UnsupportedError if Pillow would return other values than the file holds."""
    if image.mode not in MODES:
        raise UnsupportedError(f"holds {image.mode} colours: grey and RGB are supported. Convert it to RGB.")
    if layout.endswith((";16B", ";16L", ";16N")) and image.mode not in ("I;16", "I;16B", "I"):
        raise UnsupportedError(
            "holds colours with 16 bits per channel: colours with 8 bits and grey with 16 bits are "
            "supported. Convert it."
        )
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        if image.mode == "L" and SIGNED in image.tag_v2.get(SAMPLE_FORMAT, ()):
            raise UnsupportedError(
                "holds signed values of 8 bits: unsigned ones are supported. Convert it to 16 bits."
            )
        if image.mode in ("I;16", "F") and image.tag_v2.get(PHOTOMETRIC, 0) == WHITE_IS_ZERO:
            raise UnsupportedError("stores white as 0, with more than 8 bits: black must be 0. Invert it.")


def check_opaque(image: Image.Image) -> None:
    """Raise UnsupportedError if any pixel is transparent: the background is unknown."""
    if not image.has_transparency_data:
        return
    convertible = image.mode in ("1", "L", "RGB", "P", "LA", "PA", "RGBA")
    if not convertible or image.convert("RGBA").getchannel("A").getextrema()[0] != 255:
        raise UnsupportedError(
            "has transparent pixels: only opaque images are supported. Save it on a background."
        )


def has_grey_palette(image: Image.Image) -> bool:
    """Return whether an image has a palette of greys alone."""
    if image.mode not in ("P", "PA"):
        return False
    palette = image.getpalette("RGB") or []
    return palette[0::3] == palette[1::3] == palette[2::3]


FORMAT = FileFormat(
    names=tuple(MAGIC),
    magic=b"|".join(MAGIC.values()),
    endings=r"\.(a?png|jpe?g?|tiff?|bmp|dib)",
    read=read,
)
