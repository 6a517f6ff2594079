"""studies/seeds/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.core import config
from studies.seeds import STUDY

PATH = STUDY / "params.yaml"


class Deaths(config.Section):
    """The short trainings among which dead networks are counted."""

    seeds: Annotated[int, Field(ge=1, le=1000)]
    epochs: Annotated[int, Field(ge=1, le=1000)]


class Study(config.Section):
    """All of the file."""

    seeds: config.Increasing[config.Seed]
    learning_rates: config.Increasing[Annotated[float, Field(gt=0, le=1)]]
    deaths: Deaths


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `config.read`."""
    return config.read(path, Study)
