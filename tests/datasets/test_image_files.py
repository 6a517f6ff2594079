"""Image files: what they hold is read unchanged; what could be read in several ways is refused and named."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cae.core.errors import UserError
from cae.datasets.sources import open_source

GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
DEEP = np.arange(35, dtype=np.uint16).reshape(5, 7) * 1800
RGB = np.arange(105, dtype=np.uint8).reshape(5, 7, 3) * 2
ORIENTATION = 0x0112


def read(path: Path) -> list[npt.NDArray[Any]]:
    return [sample.pixels for sample in open_source(path)]


def save(path: Path, pixels: npt.NDArray[Any], **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def write_png(width: int, height: int, bits: int, colours: int, rows: bytes, extra: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    body = write_chunk(b"IHDR", header) + extra + write_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + write_chunk(b"IEND", b"")


def write_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_tiff(values: npt.NDArray[Any], sample_format: int, photometric: int = 1) -> bytes:
    """Write a minimal TIFF."""
    order = ">" if values.dtype.byteorder == ">" else "<"
    height, width = values.shape
    bits, offset = 8 * values.dtype.itemsize, 8
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: offset}
    tags |= {277: 1, 278: height, 279: values.nbytes, 339: sample_format}
    start = struct.pack(f"{order}2sHI", b"MM" if order == ">" else b"II", 42, offset + values.nbytes)
    entries = [struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items()]
    return start + values.tobytes() + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("png", {}),
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw"}),
        ("tif", {"compression": "tiff_adobe_deflate", "big_tiff": True}),
        ("bmp", {}),
    ],
)
def test_pixels_come_back_as_they_were_saved(tmp_path: Path, ending: str, options: dict[str, Any]) -> None:
    for pixels in (GREY, RGB) if ending == "bmp" else (GREY, DEEP, RGB):
        (found,) = read(save(tmp_path / f"a.{ending}", pixels, **options))
        assert found.dtype == pixels.dtype
        np.testing.assert_array_equal(found, pixels)


def test_a_jpeg_comes_back_nearly_as_it_was_saved(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 256, dtype=np.uint8).reshape(16, 16)
    (found,) = read(save(tmp_path / "a.jpg", smooth, quality=95))
    assert np.abs(found.astype(int) - smooth).max() < 12


@pytest.mark.parametrize("dtype", ["i2", ">i2", "i4", "u4", ">u2", "f4"])
def test_a_tiff_keeps_the_type_of_its_values(tmp_path: Path, dtype: str) -> None:
    largest = 2**32 - 1 if dtype == "u4" else 2**15 - 1
    values = np.array([[0, 1, largest], [3, 4, 5]], dtype)
    sample_format = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    (tmp_path / "a.tif").write_bytes(write_tiff(values, sample_format))
    (found,) = read(tmp_path / "a.tif")
    assert found.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("options", [{}, {"tiffinfo": {ORIENTATION: 6}}], ids=["upright", "rotated"])
def test_every_page_of_a_tiff_is_an_image(
    tmp_path: Path, compression: str | None, options: dict[str, Any]
) -> None:
    pages: list[npt.NDArray[Any]] = [GREY, DEEP, GREY + 1]
    others = [Image.fromarray(page) for page in pages[1:]]
    more = {"save_all": True, "append_images": others, "compression": compression, **options}
    found = read(save(tmp_path / "a.tif", pages[0], **more))
    for pixels, page in zip(found, pages, strict=True):
        assert pixels.dtype == page.dtype
        np.testing.assert_array_equal(pixels, np.rot90(page, -1) if options else page)


def test_thumbnails_in_a_tiff_are_ignored(tmp_path: Path) -> None:
    image, thumbnail = Image.fromarray(GREY), Image.fromarray(GREY[::2, ::2])
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    image.save(tmp_path / "a.tif", save_all=True, append_images=[thumbnail])
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), [GREY])


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_rotation_in_exif_is_applied(tmp_path: Path, ending: str, orientation: int) -> None:
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    # What a camera stores: the inverse of the rotation that EXIF asks for.
    stored: npt.NDArray[Any] = {
        1: upright,
        2: np.fliplr(upright),
        3: np.rot90(upright, 2),
        4: np.flipud(upright),
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    (found,) = read(save(tmp_path / f"a.{ending}", np.ascontiguousarray(stored), exif=exif))
    assert found.shape == (16, 32)
    assert np.abs(found.astype(int) - upright).max() < 8


@pytest.mark.parametrize(("last", "shape"), [(255, (5, 7)), (0, (5, 7, 3))], ids=["greys", "colours"])
def test_a_palette_becomes_grey_or_rgb(tmp_path: Path, last: int, shape: tuple[int, ...]) -> None:
    image = Image.fromarray(GREY % 4).convert("P")
    image.putpalette([9, 9, 9, 99, 99, 99, 199, 199, 199, 255, 255, last])
    image.save(tmp_path / "a.png")
    (found,) = read(tmp_path / "a.png")
    assert found.shape == shape
    np.testing.assert_array_equal(found.reshape(5, 7, -1)[..., 0], np.array([9, 99, 199, 255])[GREY % 4])


def test_black_and_white_become_0_and_255(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(save(tmp_path / "a.png", GREY > 99))[0], np.where(GREY > 99, 255, 0))


@pytest.mark.parametrize(
    ("mode", "options"), [("LA", {}), ("RGBA", {}), ("L", {"transparency": 1})], ids=["LA", "RGBA", "unused"]
)
def test_an_alpha_channel_that_hides_nothing_is_dropped(
    tmp_path: Path, mode: str, options: dict[str, Any]
) -> None:
    pixels = RGB if mode == "RGBA" else GREY
    Image.fromarray(pixels).convert(mode).save(tmp_path / "a.png", **options)
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0], pixels)


@pytest.mark.parametrize(
    ("mode", "transparency"),
    [("LA", None), ("RGBA", None), ("P", 0), ("L", int(GREY[0, 0])), ("RGB", tuple(map(int, RGB[0, 0])))],
)
def test_transparent_pixels_are_refused(tmp_path: Path, mode: str, transparency: Any) -> None:
    image = Image.fromarray(RGB if mode in ("RGB", "RGBA") else GREY).convert(mode)
    if transparency is None:
        image.putalpha(254)
    image.save(tmp_path / "a.png", **({} if transparency is None else {"transparency": transparency}))
    with pytest.raises(UserError, match=r"a\.png' has transparent pixels.*Save it on a background"):
        read(tmp_path / "a.png")


def write_image(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


COLOUR = Image.fromarray(RGB)
ANIMATED = {"save_all": True, "append_images": [Image.fromarray(255 - RGB)]}
TRANSPARENT = write_chunk(b"tRNS", bytes(2))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (write_image(COLOUR, format="GIF"), "is a GIF file: BMP, .* and npz are supported. Convert it"),
        (write_image(COLOUR, format="WebP"), "is a WebP file"),
        (write_image(COLOUR, format="JPEG2000"), "is a JPEG 2000 file"),
        (write_image(COLOUR, format="PNG", **ANIMATED), "is an animated PNG.* Save its frames one by one"),
        (
            write_image(COLOUR.convert("CMYK"), format="JPEG"),
            "holds CMYK colours: grey and RGB are supported",
        ),
        (write_image(Image.fromarray(GREY), format="TIFF", tiffinfo={254: 1}), "holds only a thumbnail"),
        (write_png(1, 1, 16, 2, bytes(7)), "holds colours with 16 bits per channel"),
        (write_png(1, 1, 16, 0, bytes(3), TRANSPARENT), "has transparent pixels"),
        (write_tiff(np.zeros((2, 2), "i1"), 2), "holds signed values of 8 bits"),
        (write_tiff(np.zeros((2, 2), "u2"), 1, photometric=0), "stores white as 0"),
        (write_tiff(np.zeros((2, 2), "f8"), 3), "is damaged or in an unknown format"),
        (b"BMW is no BMP", "is not an image by its content"),
        (b"", "is not an image by its content"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    # A misleading name, because the content decides.
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"a\.png' {message}"):
        read(path)


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp", "pgm"])
def test_every_truncation_is_refused(tmp_path: Path, ending: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11), dtype=np.uint8)
    path = save(tmp_path / f"a.{ending}", pixels)
    content = path.read_bytes()
    # Pillow does not read the checksum of a PNG's empty last chunk, nor the end mark of a JPEG.
    for end in range(0, len(content) - 4, 3):
        path.write_bytes(content[:end])
        with pytest.raises(UserError, match=r"a\.\w+' (is|has|holds|cannot|announces)"):
            read(path)


def test_a_flipped_bit_in_a_png_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    content = path.read_bytes()
    for place in range(8, len(content) - 12, 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(UserError, match=r"a\.png'"):
            read(path)


@pytest.mark.parametrize(
    ("width", "height"), [(8193, 8193), (60_000, 60_000), (2**26 + 1, 1)], ids=["ours", "Pillow's", "flat"]
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, width: int, height: int
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(write_png(width, height, 8, 0, bytes(9)))
    with pytest.raises(UserError, match=r"bomb\.png' (holds an image of|is too large).*67,108,864 pixels"):
        read(path)


def test_a_bomb_in_the_second_page_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", GREY, save_all=True, append_images=[Image.fromarray(GREY)])
    content = bytearray(path.read_bytes())
    # The width, as a tag; the last one is that of the second page.
    place = content.rindex(struct.pack("<HHIH", 256, 4, 1, 7))
    content[place : place + 12] = struct.pack("<HHII", 256, 4, 1, 2**30)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tif' holds an image of 5×1073741824"):
        read(path)
