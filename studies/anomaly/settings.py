"""studies/anomaly/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.ground import params, sections
from studies.anomaly import STUDY

PATH = STUDY / "params.yaml"


class Anomaly(params.Recipe):
    """How the networks of single classes are trained and what is measured on them."""

    held_out: Annotated[int, Field(ge=2, le=5000)]
    neighbours: params.Neighbours
    seeds: params.Increasing[params.Seed]

    def of_seed(self, seed: int) -> params.Run:
        """Return what `training.fit` takes."""
        return params.Run(**self.model_dump(include=set(params.Recipe.model_fields)), seed=seed)


class Study(sections.Section):
    """All of the file."""

    anomaly: Anomaly


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `sections.read`."""
    return sections.read(path, Study)
