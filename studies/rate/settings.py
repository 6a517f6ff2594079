"""studies/rate/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.ground import params, sections
from studies.rate import STUDY

PATH = STUDY / "params.yaml"


class Study(sections.Section):
    """All of the file."""

    code_sizes: params.Increasing[params.CodeSize]
    epochs: Annotated[int, Field(ge=1, le=1000)]
    bits: params.Increasing[Annotated[int, Field(ge=1, le=16)]]


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `sections.read`."""
    return sections.read(path, Study)
