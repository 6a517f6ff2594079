"""studies/seeds/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.ground import params
from studies.seeds import STUDY

PATH = STUDY / "params.yaml"


class Deaths(params.Section):
    """The short trainings among which dead networks are counted."""

    seeds: Annotated[int, Field(ge=1, le=1000)]
    epochs: Annotated[int, Field(ge=1, le=1000)]


class Study(params.Section):
    """All of the file but what dvc.yaml alone reads: the seeds and learning rates of the matrices."""

    seeds: params.Increasing[params.Seed]
    learning_rates: params.Increasing[float]
    deaths: Deaths


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `params.read`."""
    return params.read(path, Study)
