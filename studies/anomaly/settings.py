"""studies/anomaly/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.ground import params
from studies.anomaly import STUDY

PATH = STUDY / "params.yaml"


class Anomaly(params.Section):
    """How the networks of single classes are trained and what is measured on them."""

    held_out: Annotated[int, Field(ge=2, le=5000)]
    neighbours: params.Neighbours
    seeds: params.Increasing[params.Seed]
    epochs: Annotated[int, Field(ge=1, le=1000)]
    batch_size: Annotated[int, Field(ge=1, le=10_000)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    patience: Annotated[int, Field(ge=1, le=1000)]
    shards: Annotated[int, Field(ge=1, le=64)]
    engine: params.Engine

    def of_seed(self, seed: int) -> params.Train:
        """Return what `training.fit` takes."""
        shared = self.model_dump(include=params.Train.model_fields.keys() - {"seed"})
        return params.Train(**shared, seed=seed)


class Study(params.Section):
    """All of the file."""

    anomaly: Anomaly


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `params.read`."""
    return params.read(path, Study)
