"""Splits of images: the same kind of thing for training, validation and test, and how they are drawn."""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Kind = TypeVar("Kind")


class Splits(NamedTuple, Generic[Kind]):
    """The same thing of each of the three splits: images, features or labels."""

    train: Kind
    validation: Kind
    test: Kind


def draw_indices(available: int, sizes: Mapping[str, int], seed: int) -> dict[str, npt.NDArray[np.int64]]:
    """Draw disjoint sets of indices below `available`, one for each name, each sorted.

    The sets depend on the seed, the sizes and their order alone.

    Raises:
        ValueError: more indices are asked for than there are.
    """
    if sum(sizes.values()) > available:
        raise ValueError(f"{sum(sizes.values())} indices cannot be drawn from {available}")
    order = np.random.default_rng(seed).permutation(available)
    starts = np.cumsum([0, *sizes.values()])
    return {name: np.sort(order[start : start + size]) for (name, size), start in zip(sizes.items(), starts)}
