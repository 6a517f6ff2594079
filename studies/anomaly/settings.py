"""studies/anomaly/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.core import config, params
from studies.anomaly import STUDY

PATH = STUDY / "params.yaml"


class Anomaly(config.Section):
    """What the networks of single classes do not see in training, and what is measured on them."""

    held_out: Annotated[int, Field(ge=2, le=5000)]
    neighbours: params.Neighbours
    seeds: config.Increasing[config.Seed]


class Study(config.Section):
    """All of the file."""

    anomaly: Anomaly
    training: params.Recipe

    def recipe(self, seed: int) -> params.Run:
        """Return how the network with this seed is trained."""
        return params.Run(**dict(self.training), seed=seed)


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `config.read`."""
    return config.read(path, Study)
