"""studies/rate/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from cae.core import config, params
from studies.rate import STUDY

PATH = STUDY / "params.yaml"


class Study(params.Pace):
    """All of the file."""

    code_sizes: config.Increasing[settings_of_networks.CodeSize]
    epochs: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], Field(strict=False)]
    shards: Annotated[int, Field(ge=1, le=64)]
    bits: config.Increasing[Annotated[int, Field(ge=1, le=16)]]

    @model_validator(mode="after")
    def every_network_has_epochs(self) -> Self:
        """Refuse fewer or more numbers of epochs than there are networks."""
        if len(self.epochs) != len(self.code_sizes):
            raise ValueError(
                f"epochs has {len(self.epochs)} numbers, but code_sizes {len(self.code_sizes)}: "
                "give each network its own"
            )
        return self


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `config.read`."""
    return config.read(path, Study)
