"""The three splits: drawn by seed, normalised, written as `.npy` and read back memory-mapped."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from cae.core import files, words
from cae.core.arrays import Images, Labels
from cae.core.errors import UserError

CLASS_NAMES = "class_names.json"
REMAKE = "dvc repro --force prepare"
# Images checked at once: memory stays bounded however many there are.
IMAGES_A_LOOK = 5000
Kind = TypeVar("Kind")


class Splits(NamedTuple, Generic[Kind]):
    """The same thing of each of the three splits: images, features or labels."""

    train: Kind
    validation: Kind
    test: Kind


def draw(available: int, sizes: Mapping[str, int], seed: int) -> dict[str, npt.NDArray[np.int64]]:
    """Draw disjoint sets of indices below `available`, one a name, each sorted.

    The sets depend on the seed, the sizes and their order alone.

    Raises:
        ValueError: more indices are asked for than there are.
    """
    if sum(sizes.values()) > available:
        raise ValueError(f"{sum(sizes.values())} indices cannot be drawn from {available}")
    order = np.random.default_rng(seed).permutation(available)
    starts = np.cumsum([0, *sizes.values()])
    return {name: np.sort(order[start : start + size]) for (name, size), start in zip(sizes.items(), starts)}


def normalise(images: npt.NDArray[np.uint8]) -> Images:
    """Rescale pixels by 1/255, as Keras's Rescaling: uint8 (N, 28, 28) → float32 (N, 28, 28, 1)."""
    return images[..., np.newaxis].astype(np.float32) * np.float32(1 / 255)


def write(
    folder: Path,
    name: str,
    images: npt.NDArray[np.uint8],
    labels: Labels,
    indices: npt.NDArray[np.int64],
) -> None:
    """Write the images and labels at `indices` as one split.

    `NAME_images.npy` float32 (n, 28, 28, 1) in [0, 1], `NAME_labels.npy` uint8 (n,) and
    `NAME_indices.npy` int64 (n,): where each image lies in its source.
    """
    files.write_array(folder / f"{name}_images.npy", normalise(images[indices]))
    files.write_array(folder / f"{name}_labels.npy", labels[indices])
    files.write_array(folder / f"{name}_indices.npy", indices)


def write_class_names(folder: Path, names: Sequence[str]) -> None:
    """Write what the labels mean, in label order, beside the splits."""
    files.write_json(folder / CLASS_NAMES, list(names))


def images(folder: Path, name: str) -> Images:
    """Map the images of a split from the disk: float32 (N, H, W, 1) in [0, 1], read only.

    Raises:
        UserError: no such file, or other content: a loss on pixels in 0..255 would be a number all the same.
    """
    path = folder / f"{name}_images.npy"
    array = mapped(path)
    if array.dtype != np.float32 or array.ndim != 4 or array.shape[-1] != 1:
        raise unfit(path, f"{array.dtype} {array.shape}")
    for start in range(0, len(array), IMAGES_A_LOOK):
        part = array[start : start + IMAGES_A_LOOK]
        low, high = float(part.min()), float(part.max())
        # A minimum is NaN where any value is.
        if not (low >= 0 and high <= 1):
            raise unfit(path, f"values from {low:g} to {high:g} in images {start} to {start + len(part) - 1}")
    return array


def labels(folder: Path, name: str) -> Labels:
    """Map the labels of a split from the disk: uint8 (N,), places in `class_names`, read only.

    Raises:
        UserError: no such file, or other content.
    """
    path = folder / f"{name}_labels.npy"
    array = mapped(path)
    classes = len(class_names(folder))
    if array.dtype != np.uint8 or array.ndim != 1:
        raise unfit(path, f"{array.dtype} {array.shape}")
    if len(array) and array.max() >= classes:
        raise unfit(path, f"the label {array.max()}, and {words.pluralize(classes, 'class', 'classes')}")
    return array


def all_images(folder: Path) -> Splits[Images]:
    """Map the images of every split, as `images` does."""
    return Splits(*(images(folder, name) for name in Splits._fields))


def all_labels(folder: Path) -> Splits[Labels]:
    """Read the labels of every split into memory; raises as `labels`."""
    return Splits(*(np.array(labels(folder, name)) for name in Splits._fields))


def class_names(folder: Path) -> tuple[str, ...]:
    """Read what the labels mean, in label order; UserError where the file is missing or no list of names."""
    path = folder / CLASS_NAMES
    try:
        names = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). Make it again: {REMAKE}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path} is not a list of names. Make it again: {REMAKE}")
    return tuple(names)


def mapped(path: Path, remake: str = REMAKE) -> npt.NDArray[Any]:
    """Map one `.npy` file, which the command `remake` makes.

    Raises:
        UserError: no such file, or not a whole `.npy` file.
    """
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read ({error}). Make it again: {remake}") from error


def unfit(path: Path, content: str) -> UserError:
    """Say what a file of a split holds and what it has to hold."""
    needed = "uint8 (N,)" if path.name.endswith("labels.npy") else "float32 (N, H, W, 1) in [0, 1]"
    return UserError(f"{path} holds {content}, but {needed} is needed. Make it again: {REMAKE}")
