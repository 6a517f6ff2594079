"""Formats: each is one module, detected from the content of a file, or else from its name."""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cae.core.errors import UserError
from cae.datasets import formats
from cae.datasets.sources import open_source
from checks.fuzz import make_dicom, make_nifti

NEW_FORMAT = """
import numpy as np
from cae.datasets.formats import FileFormat
from cae.datasets.samples import Sample

def read(path, name):
    yield Sample(name, np.full((2, 3), path.read_bytes()[4], np.uint8), group=name)

FORMAT = FileFormat(names=("FLAT",), magic=b"FLAT", endings=r"\\.flat", read=read)
"""


@pytest.fixture
def new_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add one module to the package, and nothing else anywhere."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "flat.py").write_text(NEW_FORMAT)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path / "package")])
    formats.list_formats.cache_clear()
    yield
    sys.modules.pop("cae.datasets.formats.flat", None)
    formats.list_formats.cache_clear()


@pytest.mark.usefixtures("new_format")
def test_a_new_format_is_one_module(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.pgm").write_bytes(b"P5\n3 2\n255\n......")
    (folder / "b").write_bytes(b"FLAT\x07")
    first, second = open_source(folder)
    assert (first.name, second.name) == ("a.pgm", "b")
    np.testing.assert_array_equal(second.pixels, np.full((2, 3), 7))
    (tmp_path / "text").write_text("a text")
    with pytest.raises(UserError, match=r"DICOM, FLAT, IDX, .* are supported"):
        open_source(tmp_path / "text")


GREY = np.arange(35, dtype=np.uint8).reshape(5, 7)
NIFTI = make_nifti(GREY)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a", b"\x89PNG\r\n\x1a\n", "image files"),
        ("a.dcm", b"\xff\xd8\xff", "image files"),
        ("a.png", NIFTI, "NIfTI"),
        ("a.png", gzip.compress(NIFTI, mtime=0), "NIfTI"),
        ("a.png", bytes.fromhex("00000803"), "IDX"),
        ("a.png", b"PK\x03\x04", "npz"),
        ("a.PNG", b"", "image files"),
        ("a.heic", b"", "image files"),
        ("a.NII.gz", gzip.compress(b"nothing", mtime=0)[:-9], "NIfTI"),
        ("a.dicom", b"no preamble", "DICOM"),
        ("a.png.gz", gzip.compress(b"\x89PNG\r\n\x1a\n", mtime=0), None),
        ("a.txt", b"P5 is a format", None),
        ("a.txt", b"BMW is no BMP", None),
        ("a.pickle", b"\x80\x04K\x01.", None),
    ],
)
def test_the_content_decides_and_the_name_if_the_content_says_nothing(
    tmp_path: Path, name: str, content: bytes, kind: str | None
) -> None:
    (tmp_path / name).write_bytes(content)
    found = formats.detect_format(tmp_path / name)
    assert (found and found.kind) == kind


@pytest.mark.parametrize(
    "beginning",
    [b"II*\0", b"MM\0*", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", bytes.fromhex("00000803"), b"\x1f\x8b\x08"],
    ids=["TIFF", "TIFF, big-endian", "PNG", "zip", "IDX", "gzip"],
)
def test_a_dicom_file_is_detected_whatever_its_free_bytes_hold(tmp_path: Path, beginning: bytes) -> None:
    content = make_dicom(GREY.astype(np.uint16), RescaleSlope="3.5")
    (tmp_path / "1.tif").write_bytes(beginning.ljust(128, b"\0") + content[128:])
    source = open_source(tmp_path)
    assert source.kind == "DICOM"
    np.testing.assert_array_equal(next(iter(source)).pixels, np.float32(3.5) * GREY)
