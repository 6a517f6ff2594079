"""The images of one class that networks and detectors are fitted to."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.datasets.splits import draw_indices
from stages.prepared_images import read_class_names, read_images, read_labels
from stages.runner.project import Project

PREPARED = "../../data/prepared"
# Nothing is fitted to a test image.
FITTED_TO = ("train", "validation")
# Preprocessing: grey values as they are, or their square roots, which lift the dark parts of a garment.
TRANSFORMS: Mapping[str, Any] = {"pixels": np.asarray, "roots": np.sqrt}
HeldOut = Annotated[int, Field(ge=2, le=5000)]
Neighbours = Annotated[int, Field(ge=1, le=100)]


def read_class(project: Project, label: int, needed: int) -> Images:
    """Read the images (N, H, W, C) of one class that are not in the test split.

    Raises:
        UserError: there are fewer than needed.
    """
    images = np.concatenate(
        [
            read_images(project, PREPARED, split)[read_labels(project, PREPARED, split) == label]
            for split in FITTED_TO
        ]
    )
    if len(images) < needed:
        raise UserError(
            f"the training and validation splits have {len(images)} images of "
            f"{read_class_names(project, PREPARED)[label]}, but the anomaly study needs {needed}: raise "
            "split.train in the main pipeline's params.yaml, or lower held_out in studies/anomaly/params.yaml"
        )
    return images


def hold_out(images: Images, count: int, seed: int) -> tuple[Images, Images]:
    """Draw images that no network is trained on; return the others, and these."""
    indices = draw_indices(len(images), {"held_out": count, "train": len(images) - count}, seed)
    return images[indices["train"]], images[indices["held_out"]]
