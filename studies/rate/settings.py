"""studies/rate/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.ground import params
from studies.rate import STUDY

PATH = STUDY / "params.yaml"


class Study(params.Section):
    """All of the file."""

    code_sizes: params.Increasing[params.CodeSize]
    bits: params.Increasing[Annotated[int, Field(ge=1, le=16)]]


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `params.read`."""
    return params.read(path, Study)
