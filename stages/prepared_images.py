"""Prepared images and labels of single splits: dvc.yaml declares these files, not their folder."""

from cae.core.arrays import Images, Labels
from cae.datasets import prepared
from stages.runner.project import Project


def read_images(project: Project, folder: str, split: str) -> Images:
    """Map the images of a split, (N, H, W, C) float32 in [0, 1].

    Raises:
        UserError: dvc.yaml does not declare the file, or it is missing or damaged.
    """
    return prepared.read_images(project.path(f"{folder}/{split}_images.npy").parent, split)


def read_training_images(project: Project, folder: str) -> tuple[Images, Images]:
    """Map the images of training and of validation, as `read_images`."""
    return read_images(project, folder, "train"), read_images(project, folder, "validation")


def read_labels(project: Project, folder: str, split: str) -> Labels:
    """Map the labels of a split, (N,) uint8, indices of `read_class_names`; raises as `read_images`."""
    read_class_names(project, folder)
    return prepared.read_labels(project.path(f"{folder}/{split}_labels.npy").parent, split)


def read_class_names(project: Project, folder: str) -> tuple[str, ...]:
    """Read what labels mean, in label order; raises as `read_images`."""
    return prepared.read_class_names(project.path(f"{folder}/{prepared.CLASS_NAMES}").parent)
