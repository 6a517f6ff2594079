"""Sheets of small images: one file for all images of a part, of which the page shows a square at a time.

The page's function `tile` (page.js) shows one image of a sheet.
"""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

# Images in a row of a sheet.
COLUMNS = 50
# Quality of WebP, from 0 to 100: below 60 one sees the loss.
QUALITY = 60


def draw_sheet(images: npt.NDArray[np.floating]) -> bytes:
    """Draw images (N, H, W) in [0, 1] into rows of COLUMNS, 8-bit grey, as a WebP file."""
    count, height, width = images.shape
    rows = -(-count // COLUMNS)
    grey = np.zeros((rows * COLUMNS, height, width), np.uint8)
    grey[:count] = np.round(np.clip(images, 0, 1) * 255)
    sheet = grey.reshape(rows, COLUMNS, height, width).swapaxes(1, 2).reshape(rows * height, COLUMNS * width)
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "WEBP", quality=QUALITY, method=6)
    return file.getvalue()


def write_style(name: str, images: npt.NDArray[np.floating]) -> str:
    """Return a rule of CSS by which the page knows the sheet of images (N, H, W) as `--NAME`."""
    content = base64.b64encode(draw_sheet(images)).decode()
    return f":root {{ --{name}: url(data:image/webp;base64,{content}); }}\n"
