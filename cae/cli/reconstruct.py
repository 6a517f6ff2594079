"""Pictures in, what the network makes of them out."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cae.cli.views import Seeing, answers
from cae.core.image_folder import ImageFolder
from cae.datasets.samples import Sample
from cae.networks.resizable import ResizableAutoencoder


def reconstruct(pictures: Iterable[Sample], trained: ResizableAutoencoder, seeing: Seeing, out: Path) -> int:
    """Write a PNG a picture into the folder `out`, 256 levels, in the size of the picture; return how many.

    Raises:
        UserError: a picture that does not suit the network, one name twice, or a file that cannot be written.
    """
    folder = ImageFolder(out)
    for answer in answers(pictures, trained, seeing):
        levels = np.round(answer.sized(answer.reconstruction) * 255).astype(np.uint8)
        folder.write(answer.name, levels[..., 0] if levels.shape[-1] == 1 else levels)
    return len(folder.names)
