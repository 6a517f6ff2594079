"""The anomaly scores of all test images for one normal class: a structured array with a column per score."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from cae.core.arrays import Scores
from cae.datasets import prepared


class Column(NamedTuple):
    """Which score a column holds."""

    method: str
    transform: str  # a key of `images.TRANSFORMS`
    seed: int | None = None  # None for a method without random numbers

    @property
    def name(self) -> str:
        """The column's name in the file: METHOD/TRANSFORM/SEED."""
        return "/".join(str(part) for part in self if part is not None)

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the column of this name."""
        method, transform, *seed = name.split("/")
        return cls(method, transform, *map(int, seed))


def to_array(columns: Mapping[Column, Scores]) -> npt.NDArray[Any]:
    """Join columns, each (N,) float64, to one structured array (N,)."""
    table = pd.DataFrame({column.name: scores for column, scores in columns.items()})
    return np.asarray(table.to_records(index=False))


def read(path: Path) -> dict[Column, Scores]:
    """Read columns, each (N,) float64; UserError where the file is missing or broken."""
    table = prepared.map_array(path, remake="cd studies/anomaly && dvc repro")
    return {Column.parse(name): np.asarray(table[name]) for name in table.dtype.names or ()}
