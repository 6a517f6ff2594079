"""Train the residual network with one code size."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from cae.core.config import Increasing, Section
from cae.networks.settings import CodeSize, Epochs
from stages.runner.project import Project, Results
from studies.training import train_all_epochs


class Settings(Section):
    """The code sizes, and for how long the network of each is trained."""

    code_sizes: Increasing[CodeSize]
    epochs: Annotated[tuple[Epochs, ...], Field(strict=False)]
    shards: Annotated[int, Field(ge=1, le=64)]

    @model_validator(mode="after")
    def check_epochs(self) -> Self:
        """Refuse fewer or more numbers of epochs than there are networks."""
        if len(self.epochs) != len(self.code_sizes):
            raise ValueError(
                f"epochs has {len(self.epochs)} numbers, but code_sizes has {len(self.code_sizes)}: "
                "give each network its own"
            )
        return self


def train(project: Project, settings: Settings, size: int) -> Results:
    """Return the trained network and its history."""
    epochs = settings.epochs[settings.code_sizes.index(size)]
    autoencoder, history = train_all_epochs(
        project, "residual", {"code_size": size}, epochs, shards=settings.shards
    )
    return {f"models/{size}.keras": autoencoder.network, f"histories/{size}.csv": history}
