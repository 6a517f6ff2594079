"""The three splits: drawn by seed, normalised, written as `.npy` and read back memory-mapped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from cae import artifacts
from cae.arrays import Images, Labels
from cae.errors import UserError


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
    """Rescale pixels by 1/255: uint8 (N, 28, 28) → float32 (N, 28, 28, 1) in [0, 1]."""
    return np.asarray(keras.layers.Rescaling(1 / 255, dtype="float32")(images[..., np.newaxis]))


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
    artifacts.write_array(folder / f"{name}_images.npy", normalise(images[indices]))
    artifacts.write_array(folder / f"{name}_labels.npy", labels[indices])
    artifacts.write_array(folder / f"{name}_indices.npy", indices)


def images(folder: Path, name: str) -> Images:
    """Map the images of a split from the disk: float32 (N, 28, 28, 1) in [0, 1], read only."""
    return mapped(folder / f"{name}_images.npy")


def labels(folder: Path, name: str) -> Labels:
    """Map the labels of a split from the disk: uint8 (N,), read only."""
    return mapped(folder / f"{name}_labels.npy")


def mapped(path: Path, remake: str = "dvc repro prepare") -> npt.NDArray[Any]:
    """Map one `.npy` file, which the command `remake` makes.

    Raises:
        UserError: no such file, or not a whole `.npy` file.

    """
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read ({error}). Make it again: {remake}") from error
