"""Image files, read with Pillow as they are stored: PNG, JPEG, TIFF with several pages, BMP; PGM and PPM.

What is done to them on the way, and nothing else: fewer than 8 bits become 0 to 255, as everyone shows them;
a palette becomes RGB, or grey where all of its colours are; what EXIF says about rotation is applied; an
alpha channel is dropped where all of it is opaque. CMYK, real transparency, animations and 16-bit colour are
refused: there is no one right way to grey or RGB of 8 or 16 bits.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin

from cae.datasets import file_types, netpbm
from cae.datasets.safety import PIXELS, Clamped, RefusedError, check_size
from cae.datasets.samples import Frame, Pixels, native

READ = "PNG, JPEG, TIFF, BMP and PGM are read"
BY_PILLOW = ("PNG", "JPEG", "TIFF", "BMP")
# Mode of Pillow → what it becomes; palettes may become grey as well.
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
# Pillow widens or reinterprets what these hold.
STORED = {"I;16S": "i2", "I;16BS": "i2", "I;32N": "u4"}
SAMPLE_FORMAT, SIGNED = 339, 2
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
SUBFILE, REDUCED = 254, 1


def frames(path: Path) -> Iterator[Frame]:
    """Read the pictures of an image file, told by its content, not its name: one, or one a page of a TIFF.

    Pixels: uint8 (H, W) or (H, W, 3); uint16, int16, int32, uint32 or float32 (H, W).

    Raises:
        RefusedError: what it holds is not read, or is too large; the message says what is.
        Exception: whatever Pillow raises for a damaged file.
    """
    kind = format_of(path)
    if kind == "PNM":
        yield Frame(netpbm.read(path))
        return
    try:
        if kind == "PNG":
            check_sums(path)
        # Given the path, Pillow maps uncompressed pixels into memory, and scrambles those that are rotated.
        with Clamped(path) as stream, Image.open(stream, formats=(kind,)) as image:
            if kind == "PNG" and getattr(image, "is_animated", False):
                raise RefusedError(f"is an animated PNG: {READ}, still ones. Save its frames one by one.")
            pages = whole_pages(image)
            for page in pages:
                image.seek(page)
                yield Frame(pixels(image), several=len(pages) > 1)
    except Image.DecompressionBombError as error:
        raise RefusedError(
            f"is too large: at most {PIXELS:,} pixels are decoded. Cut it into smaller ones, or leave it out."
        ) from error


def whole_pages(image: Image.Image) -> list[int]:
    """List the pages of an image but for smaller copies of others, which a TIFF may hold; one if it is none.

    Raises:
        RefusedError: all are copies: the picture itself lies where it is not read, as in a camera's raw file.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return [0]
    pages = []
    for page in range(image.n_frames):
        image.seek(page)
        if not image.tag_v2.get(SUBFILE, 0) & REDUCED:
            pages.append(page)
    if not pages:
        raise RefusedError("holds nothing but a small copy of its picture. Export it as a plain TIFF.")
    return pages


def format_of(path: Path) -> str:
    """Tell the format of a file by its content, PNM or one of BY_PILLOW; RefusedError where it is none."""
    if not path.is_file():
        raise RefusedError("is no file. Put one there, or leave it out.")
    with path.open("rb") as stream:
        kind = file_types.told_by(stream.read(file_types.HEAD))
    if kind == "PNM" or kind in BY_PILLOW:
        return kind
    found = f"a {kind}, animated or not" if kind in ("GIF", "WebP") else kind or "no image by its content"
    raise RefusedError(f"is {found}: {READ}. Convert it, or leave it out.")


def check_sums(path: Path) -> None:
    """Compare the checksums of a PNG, which decoding alone skips; raises what Pillow does."""
    with Clamped(path) as stream, Image.open(stream, formats=("PNG",)) as image:
        image.verify()


def pixels(image: Image.Image) -> Pixels:
    """Decode the current page and bring it upright; see `frames` for shapes and types.

    Raises:
        RefusedError: its mode is not read, or it is too large.
    """
    check_size(image.height, image.width, 3 if image.mode.startswith("RGB") else 1)
    raw = raw_mode(image)
    check_mode(image, raw)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    check_opaque(image)
    mode = "L" if grey_palette(image) else MODES[image.mode]
    values = native(np.asarray(image if image.mode == mode else image.convert(mode)))
    if raw not in STORED:
        return values
    # 16 bits fit again as they came; 32 bits are the same bits without a sign.
    return values.astype(STORED[raw]) if STORED[raw] == "i2" else values.view(STORED[raw])


def raw_mode(image: Image.Image) -> str:
    """Name the layout of the values in the file, as Pillow calls it; before they are decoded."""
    arguments = image.tile[0].args  # type: ignore[attr-defined]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def check_mode(image: Image.Image, raw: str) -> None:
    """Raise RefusedError where what comes out of Pillow would not be what the file holds."""
    if image.mode not in MODES:
        raise RefusedError(f"holds {image.mode} colours: grey and RGB are read. Convert it to RGB.")
    if raw.endswith((";16B", ";16L", ";16N")) and image.mode not in ("I;16", "I;16B", "I"):
        raise RefusedError("holds colours of 16 bits a channel: 8 are read, or 16 bits of grey. Convert it.")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        if image.mode == "L" and SIGNED in image.tag_v2.get(SAMPLE_FORMAT, ()):
            raise RefusedError(
                "holds signed values of 8 bits: unsigned ones are read. Convert it to 16 bits."
            )
        if image.mode in ("I;16", "F") and image.tag_v2.get(PHOTOMETRIC, 0) == WHITE_IS_ZERO:
            raise RefusedError("shows 0 as white, in more than 8 bits: 0 has to be black. Invert it.")


def check_opaque(image: Image.Image) -> None:
    """Raise RefusedError where any pixel may be seen through: nobody knows what lies behind."""
    if not image.has_transparency_data:
        return
    seen_through = image.mode not in ("1", "L", "RGB", "P", "LA", "PA", "RGBA")
    if seen_through or image.convert("RGBA").getchannel("A").getextrema()[0] != 255:
        raise RefusedError("has transparent pixels: only opaque ones are read. Save it on a background.")


def grey_palette(image: Image.Image) -> bool:
    """Say whether an image has a palette of nothing but greys."""
    if image.mode not in ("P", "PA"):
        return False
    palette = image.getpalette("RGB") or []
    return palette[0::3] == palette[1::3] == palette[2::3]
