"""The scores of one normal class: a column a score, a row a test image, kept in one `.npy` file."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from cae.core import files
from cae.core.arrays import Scores
from cae.datasets import splits


class Column(NamedTuple):
    """Which score a column holds."""

    method: str
    view: str  # how the method saw the images: a key of `score.VIEWS`
    seed: int | None = None  # None for a method that draws nothing

    @property
    def name(self) -> str:
        """What the file calls it."""
        return "/".join(str(part) for part in self if part is not None)

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the column that a file calls so."""
        method, view, *seed = name.split("/")
        return cls(method, view, *map(int, seed))


def write(path: Path, columns: Mapping[Column, Scores]) -> None:
    """Write columns, each (N,) float64."""
    table = pd.DataFrame({column.name: scores for column, scores in columns.items()})
    files.write_array(path, np.asarray(table.to_records(index=False)))


def read(path: Path) -> dict[Column, Scores]:
    """Read columns, each (N,) float64; UserError where the file is missing or broken."""
    table = splits.mapped(path, remake="cd studies/anomaly && dvc repro")
    return {Column.named(name): np.asarray(table[name]) for name in table.dtype.names or ()}
