"""What a file is, told by its first bytes; its name is asked only where they say nothing."""

import gzip
import re
import zlib
from pathlib import Path
from typing import IO, cast

from cae.datasets import idx

# As far as the magic number of NIfTI-1.
HEAD = 348
MAGICS = (
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"(II[*+]\0|MM\0[*+])", "TIFF"),
    # The size of the header that follows tells a BMP from a text that begins with BM.
    (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BMP"),
    (rb"P[2356]\s+[#\d]", "PNM"),
    (rb"GIF8[79]a", "GIF"),
    (rb"RIFF.{4}WEBP", "WebP"),
    (rb"(\0\0\0\x0cjP  |\xff\x4f\xff\x51)", "JPEG 2000"),
    (rb".{4}ftyp(heic|heix|mif1|avif)", "HEIC or AVIF"),
    (rb"P[14]\s+[#\d]", "PBM"),
)
IMAGES = frozenset(name for _, name in MAGICS)
# A DICOM file begins with 128 bytes of any kind, often those of a TIFF: it is looked for first.
DICOM = (rb".{128}DICM", "dicom")
OTHERS = (
    (rb"PK\x03\x04", "npz"),
    (re.escape(idx.IMAGES_MAGIC), "idx"),
    (rb".{344}n(\+|i)1\0", "nifti"),
    (rb".{4}n(\+|i)2\0", "nifti"),
)
# Of files whose content tells nothing, those with such a name are bad ones; the others are no pictures.
NAMES = (
    (r"\.(a?png|jpe?g?|tiff?|bmp|dib|p[bgnp]m|gif|webp|jp2|j2k|hei[cf]|avif|jxl|tga|psd|exr)", "image"),
    (r"\.(dcm|dicom)", "dicom"),
    (r"\.nii(\.gz)?", "nifti"),
    (r"\.npz", "npz"),
)


def kind_of(path: Path) -> str | None:
    """Tell what a file is: image, npz, idx, dicom, nifti, or None where it is nothing of these.

    Raises:
        OSError: it cannot be read.
    """
    told = told_by(head(path))
    if told in IMAGES:
        # Pictures are not read out of gzip, as IDX and NIfTI are.
        told = None if gzipped(path) else "image"
    if told:
        return told
    return split_ending(path.name)[2]


def split_ending(name: str) -> tuple[str, str, str | None]:
    """Cut a file's name before an ending that says a kind: both parts and the kind, or the name, "", None."""
    for pattern, kind in NAMES:
        if found := re.search(rf"{pattern}\Z", name, re.IGNORECASE):
            return name[: found.start()], found[0], kind
    return name, "", None


def told_by(beginning: bytes) -> str | None:
    """Return the format that the first bytes of a file belong to: one of IMAGES or of OTHERS, or dicom."""
    for magic, name in (DICOM, *MAGICS, *OTHERS):
        if re.match(magic, beginning, re.DOTALL):
            return name
    return None


def head(path: Path) -> bytes:
    """Read the first bytes of a file, unpacked where they are gzipped; none of a damaged gzip stream.

    Raises:
        OSError: it cannot be read.
    """
    # To open what is no regular file may wait for ever.
    if not path.is_file():
        return b""
    with path.open("rb") as stored:
        beginning = stored.read(HEAD)
    # The free bytes before DICM may be those of a gzip stream, too.
    if not beginning.startswith(idx.GZIP_MAGIC) or re.match(DICOM[0], beginning, re.DOTALL):
        return beginning
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read(HEAD)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return b""


def gzipped(path: Path) -> bool:
    """Say whether a file begins as a gzip stream does."""
    with path.open("rb") as stored:
        return stored.read(len(idx.GZIP_MAGIC)) == idx.GZIP_MAGIC


def unpacked(path: Path) -> IO[bytes]:
    """Open a file to read its bytes, unpacked where they are gzipped whatever its name.

    Raises:
        OSError: it cannot be read.
    """
    return cast(IO[bytes], gzip.open(path, "rb")) if gzipped(path) else path.open("rb")
