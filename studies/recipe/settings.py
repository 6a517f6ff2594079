"""studies/recipe/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.core import config
from studies.recipe import STUDY

PATH = STUDY / "params.yaml"


class Study(config.Section):
    """All of the file."""

    batch_sizes: config.Increasing[Annotated[int, Field(ge=1, le=10_000)]]
    learning_rates: config.Increasing[Annotated[float, Field(gt=0, le=1)]]
    seeds: config.Increasing[config.Seed]
    epochs: Annotated[int, Field(ge=1, le=1000)]


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `config.read`."""
    return config.read(path, Study)
