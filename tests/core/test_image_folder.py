"""A folder of images has one file for each of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cae.core.errors import UserError
from cae.core.image_folder import ImageFolder

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_images_are_written_by_name(tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path)
    folder.write("a/b.tif", PIXELS)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a/b.tif.png")), PIXELS)


@pytest.mark.parametrize(
    ("name", "message"),
    [("a", "two images would both be written to a"), ("ä" * 120, "has more than 230 bytes")],
)
def test_a_name_that_is_taken_or_too_long_is_refused(tmp_path: Path, name: str, message: str) -> None:
    folder = ImageFolder(tmp_path)
    folder.write("a", PIXELS)
    with pytest.raises(UserError, match=message):
        folder.write(name, PIXELS + 1)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), PIXELS)
