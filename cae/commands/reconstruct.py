"""Pictures in, what the network makes of them out."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from cae.commands.trained import Trained
from cae.commands.views import Seeing, answers
from cae.ground import artifacts
from cae.sources.greys import Image
from cae.sources.records import Picture


def reconstruct(pictures: Iterable[Picture], trained: Trained, seeing: Seeing, out: Path) -> int:
    """Write a PNG a picture into the folder `out`, in the size of the picture; return how many.

    Raises:
        UserError: a picture that does not suit the network, or a file that cannot be written.
    """
    count = 0
    for answer in answers(pictures, trained, seeing):
        write_png(out / f"{answer.name}.png", answer.sized(answer.reconstruction))
        count += 1
    return count


def write_png(path: Path, image: Image) -> None:
    """Write an image (H, W, C) in [0, 1], 1 or 3 channels, as 256 levels of grey or of each colour."""
    levels = np.round(image * 255).astype(np.uint8)
    with artifacts.replacing(path) as file:
        Pillow.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(file, format="png")
