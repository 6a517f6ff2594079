"""studies/recipe/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.core import config, params
from studies.recipe import STUDY

PATH = STUDY / "params.yaml"


class Study(config.Section):
    """All of the file."""

    batch_sizes: params.Increasing[Annotated[int, Field(ge=1, le=10_000)]]
    learning_rates: params.Increasing[Annotated[float, Field(gt=0, le=1)]]
    seeds: params.Increasing[params.Seed]
    epochs: Annotated[int, Field(ge=1, le=1000)]


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `config.read`."""
    return config.read(path, Study)
