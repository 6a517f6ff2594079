"""Image formats that are detected only to be named in the error message: they cannot be read."""

import re
from collections.abc import Iterator
from pathlib import Path

from cae.datasets.formats import HEAD, FileFormat, describe_supported
from cae.datasets.safety import UnsupportedError
from cae.datasets.samples import Sample

MAGIC = {
    rb"GIF8[79]a": "GIF",
    rb"RIFF.{4}WEBP": "WebP",
    rb"(\0\0\0\x0cjP  |\xff\x4f\xff\x51)": "JPEG 2000",
    rb".{4}ftyp(heic|heix|mif1|avif)": "HEIC or AVIF",
    rb"P[14]\s+[#\d]": "PBM",
}


def read(path: Path, name: str) -> Iterator[Sample]:
    """Raise UnsupportedError with the name of the format."""
    with path.open("rb") as stream:
        raise UnsupportedError(describe_refusal(stream.read(HEAD)))
    yield  # a generator, as every reader


def describe_refusal(head: bytes) -> str:
    """Say for a file that begins with these bytes that it is no supported image."""
    found = next((name for magic, name in MAGIC.items() if re.match(magic, head, re.DOTALL)), None)
    content = f"is a {found} file" if found else "is not an image by its content"
    return f"{content}: {describe_supported()}. Convert it, or remove it."


FORMAT = FileFormat(
    names=(),
    magic=b"|".join(MAGIC),
    endings=r"\.(pbm|gif|webp|jp2|j2k|hei[cf]|avif|jxl|tga|psd|exr)",
    read=read,
    priority=-1,
)
