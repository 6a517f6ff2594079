"""studies/variational/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cae.core import config, params
from studies.variational import STUDY

PATH = STUDY / "params.yaml"
# Trained on the bound of the log-likelihood itself: the network whose log-likelihood is estimated.
BETA = 1.0


def with_the_bound(betas: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse weights without that of the network whose log-likelihood is estimated."""
    if BETA not in betas:
        raise ValueError(f"{list(betas)} must hold {BETA}: the log-likelihood of that network is estimated")
    return betas


class Study(params.Pace):
    """All of the file."""

    # One look of a line for each in the pictures.
    betas: Annotated[
        config.Increasing[Annotated[float, Field(gt=0, le=1000)]],
        Field(max_length=4),
        AfterValidator(with_the_bound),
    ]
    epochs: Annotated[int, Field(ge=1, le=1000)]
    code_size: settings_of_networks.CodeSize
    width: settings_of_networks.Width
    layers: Literal["gelu", "gated"]
    codes: Annotated[int, Field(ge=1, le=100)]
    rise: Annotated[int, Field(ge=1, le=1000)]
    samples: Annotated[int, Field(ge=1, le=1_000_000)]
    # A standard error needs two.
    images: Annotated[int, Field(ge=2, le=10_000)]
    pixels_seed: config.Seed
    codes_seed: config.Seed

    @model_validator(mode="after")
    def weights_do_not_reward_divergence(self) -> Self:
        """Refuse weights above 1 where several codes a picture are drawn."""
        if self.codes > 1 and self.betas[-1] > 1:
            raise ValueError(
                f"betas has {self.betas[-1]:g}, but with several codes a picture a weight above 1 rewards "
                "codes far from N(0, 1): set codes to 1"
            )
        return self


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `config.read`."""
    return config.read(path, Study)
