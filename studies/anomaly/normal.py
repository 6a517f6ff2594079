"""The images of one class that networks and detectors learn from, and how they are shown to both."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.datasets import splits
from stages import PREPARED
from studies.anomaly import settings

# What everything is fitted to: no test image among them.
SOURCES = ("train", "validation")
# Images as they are, or their square roots, which lift the dark parts of a garment.
VIEWS: Mapping[str, Any] = {"pixels": np.asarray, "roots": np.sqrt}


def load_images(label: int, needed: int) -> Images:
    """Return the images of one class that are not in the test split.

    Raises:
        UserError: they are fewer than needed.
    """
    images = np.concatenate(
        [splits.images(PREPARED, name)[splits.labels(PREPARED, name) == label] for name in SOURCES]
    )
    if len(images) < needed:
        raise UserError(
            f"the training and validation splits have {len(images)} images of "
            f"{splits.class_names(PREPARED)[label]}, but the anomaly study needs {needed}: raise "
            f"prepare.train in params.yaml, or lower anomaly.held_out in {settings.PATH}"
        )
    return images


def split(images: Images, held_out: int, seed: int) -> tuple[Images, Images]:
    """Draw images that are held out; return the others, to train on, and these."""
    sizes = {"held_out": held_out, "train": len(images) - held_out}
    indices = splits.draw(len(images), sizes, seed)
    return images[indices["train"]], images[indices["held_out"]]
