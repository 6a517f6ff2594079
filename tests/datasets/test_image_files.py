"""Reading image files: what they hold comes out as it is; what could be read in two ways is named."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cae.core.errors import UserError
from cae.datasets.formats import image_files
from cae.datasets.safety import convert_errors

GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
DEEP = np.arange(35, dtype=np.uint16).reshape(5, 7) * 1800
RGB = np.arange(105, dtype=np.uint8).reshape(5, 7, 3) * 2
TURNED = 0x0112


def read(path: Path) -> list[npt.NDArray[Any]]:
    return [frame.pixels for frame in convert_errors(path, image_files.frames(path))]


def save(path: Path, pixels: npt.NDArray[Any], **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, bits: int, colours: int, rows: bytes, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    body = chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("pixels", [GREY, DEEP, RGB], ids=["8 bits", "16 bits", "RGB"])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("png", {}),
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw"}),
        ("tif", {"compression": "tiff_adobe_deflate", "big_tiff": True}),
    ],
    ids=["PNG", "TIFF", "TIFF, LZW", "BigTIFF, deflate"],
)
def test_pixels_come_out_as_they_were_saved(
    tmp_path: Path, pixels: npt.NDArray[Any], suffix: str, options: dict[str, Any]
) -> None:
    (found,) = read(save(tmp_path / f"a.{suffix}", pixels, **options))
    assert found.dtype == pixels.dtype
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("suffix", ["bmp", "pgm", "ppm"])
def test_bmp_and_netpbm_as_well(tmp_path: Path, suffix: str) -> None:
    pixels = RGB if suffix == "ppm" else GREY
    np.testing.assert_array_equal(read(save(tmp_path / f"a.{suffix}", pixels))[0], pixels)


def test_a_jpeg_comes_nearly_as_it_was_saved(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 256, dtype=np.uint8).reshape(16, 16)
    (found,) = read(save(tmp_path / "a.jpg", smooth, quality=95))
    assert np.abs(found.astype(int) - smooth).max() < 12


@pytest.mark.parametrize("kind", ["i2", ">i2", "i4", "u4", ">u2", "f4"])
def test_a_tiff_keeps_the_type_of_its_values(tmp_path: Path, kind: str) -> None:
    values = np.array([[0, 1, 2**15 - 1], [3, 4, 5]], kind)
    sample = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    (tmp_path / "a.tif").write_bytes(tiff(values, sample))
    (found,) = read(tmp_path / "a.tif")
    assert found.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, values)


def tiff(values: npt.NDArray[Any], sample: int, photometric: int = 1) -> bytes:
    """Write the barest TIFF there is."""
    order = ">" if values.dtype.byteorder == ">" else "<"
    height, width = values.shape
    tags = {
        256: width,
        257: height,
        258: 8 * values.dtype.itemsize,
        259: 1,
        262: photometric,
        273: 8,
        277: 1,
        278: height,
        279: values.nbytes,
        339: sample,
    }
    start = struct.pack(f"{order}2sHI", b"MM" if order == ">" else b"II", 42, 8 + values.nbytes)
    entries = [struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items()]
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)
    return start + values.tobytes() + directory


def test_values_above_the_largest_with_a_sign_stay(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(np.full((2, 2), 2**32 - 1, "u4"), 1))
    assert read(tmp_path / "a.tif")[0].max() == 2**32 - 1


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_every_page_of_a_tiff_is_a_picture(tmp_path: Path, compression: str | None) -> None:
    pages = [GREY + page for page in range(3)]
    more = [Image.fromarray(page) for page in pages[1:]]
    path = save(tmp_path / "a.tif", pages[0], save_all=True, append_images=more, compression=compression)
    np.testing.assert_array_equal(read(path), pages)


def test_smaller_copies_in_a_tiff_are_no_pictures(tmp_path: Path) -> None:
    whole, copy = Image.fromarray(GREY), Image.fromarray(GREY[::2, ::2])
    copy.encoderinfo = {"tiffinfo": {254: 1}}
    whole.save(tmp_path / "a.tif", save_all=True, append_images=[copy])
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), [GREY])


def test_a_tiff_of_nothing_but_a_small_copy_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", GREY, tiffinfo={254: 1})
    with pytest.raises(UserError, match="nothing but a small copy of its picture"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_turned_as_exif_says(tmp_path: Path, suffix: str, turn: int) -> None:
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16] = 255
    exif = Image.Exif()
    exif[TURNED] = turn
    # What a camera stores, so that turning it gives the upright picture: the inverse of what EXIF asks for.
    stored: npt.NDArray[Any] = {
        1: upright,
        2: np.fliplr(upright),
        3: np.rot90(upright, 2),
        4: np.flipud(upright),
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[turn]
    (found,) = read(save(tmp_path / f"a.{suffix}", np.ascontiguousarray(stored), exif=exif))
    assert found.shape == (16, 32)
    assert np.abs(found.astype(int) - upright).max() < 8


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_pages_that_are_turned_do_not_disturb_the_next(tmp_path: Path, compression: str | None) -> None:
    first = Image.fromarray(GREY)
    first.save(
        tmp_path / "a.tif",
        save_all=True,
        append_images=[Image.fromarray(DEEP), Image.fromarray(GREY)],
        tiffinfo={TURNED: 6},
        compression=compression,
    )
    found = read(tmp_path / "a.tif")
    expected: tuple[npt.NDArray[Any], ...] = (GREY, DEEP, GREY)
    for pixels, stored in zip(found, expected, strict=True):
        assert pixels.dtype == stored.dtype
        np.testing.assert_array_equal(pixels, np.rot90(stored, -1))


@pytest.mark.parametrize(("colours", "shape"), [("greys", (5, 7)), ("colours", (5, 7, 3))])
def test_a_palette_becomes_grey_or_rgb(tmp_path: Path, colours: str, shape: tuple[int, ...]) -> None:
    image = Image.fromarray(GREY % 4).convert("P")
    greys = [value for level in (9, 99, 199, 255) for value in (level,) * 3]
    image.putpalette(greys if colours == "greys" else [*greys[:-1], 0])
    image.save(tmp_path / "a.png")
    (found,) = read(tmp_path / "a.png")
    assert found.shape == shape
    np.testing.assert_array_equal(found.reshape(5, 7, -1)[..., 0], np.array([9, 99, 199, 255])[GREY % 4])


def test_black_and_white_become_0_and_255(tmp_path: Path) -> None:
    Image.fromarray(GREY > 99).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0], np.where(GREY > 99, 255, 0))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_an_opaque_alpha_channel_is_dropped(tmp_path: Path, mode: str) -> None:
    Image.fromarray(RGB if mode == "RGBA" else GREY).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0], RGB if mode == "RGBA" else GREY)


@pytest.mark.parametrize(
    ("mode", "transparency"),
    [("LA", None), ("RGBA", None), ("P", 0), ("L", int(GREY[0, 0])), ("RGB", tuple(map(int, RGB[0, 0])))],
)
def test_transparent_pixels_are_refused(tmp_path: Path, mode: str, transparency: Any) -> None:
    image = Image.fromarray(RGB if mode in ("RGB", "RGBA") else GREY).convert(mode)
    if transparency is None:
        image.putalpha(254)
        image.save(tmp_path / "a.png")
    else:
        image.save(tmp_path / "a.png", transparency=transparency)
    with pytest.raises(UserError, match=r"a\.png' has transparent pixels.*Save it on a background"):
        read(tmp_path / "a.png")


def test_a_transparent_colour_that_no_pixel_has_harms_nothing(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png", transparency=1)
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0], GREY)


def written(kind: str) -> bytes:  # noqa: C901, PLR0912
    """Make a file that is refused."""
    buffer = io.BytesIO()
    grey, colour = Image.fromarray(GREY), Image.fromarray(RGB)
    match kind:
        case "GIF" | "WebP" | "JPEG 2000":
            colour.save(buffer, format={"JPEG 2000": "JPEG2000"}.get(kind, kind))
        case "animated GIF":
            grey.save(buffer, format="GIF", save_all=True, append_images=[Image.fromarray(255 - GREY)])
        case "animated PNG":
            grey.save(buffer, format="PNG", save_all=True, append_images=[Image.fromarray(255 - GREY)])
        case "animated WebP":
            colour.save(buffer, format="WebP", save_all=True, append_images=[Image.fromarray(255 - RGB)])
        case "CMYK":
            colour.convert("CMYK").save(buffer, format="JPEG")
        case "16-bit colour":
            buffer.write(png(1, 1, 16, 2, bytes(7)))
        case "16-bit transparent":
            buffer.write(png(1, 1, 16, 0, bytes(3), chunk(b"tRNS", bytes(2))))
        case "signed bytes":
            buffer.write(tiff(np.zeros((2, 2), "i1"), 2))
        case "white is zero":
            buffer.write(tiff(np.zeros((2, 2), "u2"), 1, photometric=0))
        case "64-bit floats":
            buffer.write(tiff(np.zeros((2, 2), "f8"), 3))
        case "a text":
            buffer.write(b"BMW is no BMP")
        case "nothing":
            pass
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("GIF", "is a GIF, animated or not: PNG, JPEG, TIFF, BMP and PGM are read"),
        ("animated GIF", "is a GIF, animated or not"),
        ("WebP", "is a WebP, animated or not"),
        ("animated WebP", "is a WebP, animated or not"),
        ("animated PNG", "is an animated PNG: .* Save its frames one by one"),
        ("JPEG 2000", "is JPEG 2000"),
        ("CMYK", "holds CMYK colours: grey and RGB are read. Convert it to RGB"),
        ("16-bit colour", "holds colours of 16 bits a channel: 8 are read, or 16 bits of grey"),
        ("16-bit transparent", "has transparent pixels"),
        ("signed bytes", "holds signed values of 8 bits"),
        ("white is zero", "shows 0 as white"),
        ("64-bit floats", "is damaged or of an unknown kind"),
        ("a text", "is no image by its content"),
        ("nothing", "is no image by its content"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, kind: str, message: str) -> None:
    # Whatever they are called: the content decides.
    path = tmp_path / "a.png"
    path.write_bytes(written(kind))
    with pytest.raises(UserError, match=rf"a\.png' {message}.*\."):
        read(path)


@pytest.mark.parametrize("suffix", ["jpg", "tif", "dat", ""])
def test_an_image_with_a_lying_name_is_read_for_what_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    save(tmp_path / "a.png", GREY).rename(path)
    np.testing.assert_array_equal(read(path)[0], GREY)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "bmp", "pgm"])
def test_every_truncation_is_refused(tmp_path: Path, kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11), dtype=np.uint8)
    path = save(tmp_path / f"a.{kind}", pixels)
    whole = path.read_bytes()
    # Pillow does not read the checksum of a PNG's empty last chunk, nor the end mark of a JPEG.
    for end in range(0, len(whole) - 4, 3):
        path.write_bytes(whole[:end])
        with pytest.raises(UserError, match=r"a\.\w+' (is|has|holds|cannot|announces)"):
            read(path)


def test_a_flipped_bit_in_a_png_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    whole = path.read_bytes()
    for place in range(8, len(whole) - 12, 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(UserError, match=r"a\.png'"):
            read(path)


@pytest.mark.parametrize(
    ("width", "height"), [(8193, 8193), (60_000, 60_000), (2**26 + 1, 1)], ids=["ours", "Pillow's", "flat"]
)
def test_a_decompression_bomb_is_refused_before_it_goes_off(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(width, height, 8, 0, bytes(9)))
    with pytest.raises(UserError, match=r"bomb\.png' (holds a picture of|is too large).*67,108,864 pixels"):
        read(path)


def test_a_bomb_in_the_second_page_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", GREY, save_all=True, append_images=[Image.fromarray(GREY)])
    whole = bytearray(path.read_bytes())
    # The width, as a tag of two bytes; the last one is that of the second page.
    place = whole.rindex(struct.pack("<HHIH", 256, 4, 1, 7))
    whole[place : place + 12] = struct.pack("<HHII", 256, 4, 1, 2**30)
    path.write_bytes(whole)
    with pytest.raises(UserError, match=r"a\.tif' holds a picture of 5×1073741824"):
        read(path)


def test_what_is_no_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match=r"pipe\.png' is no file"):
        read(tmp_path / "pipe.png")


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", GREY)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"a\.png' cannot be read: Permission denied"):
        read(path)
