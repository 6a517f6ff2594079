"""Train the network on one task, without labels."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from cae.core.config import Section
from cae.networks import self_supervised
from cae.networks.settings import Epochs
from stages.runner.project import Project, Results
from studies.training import train_all_epochs


class Settings(Section):
    """The tasks, and for how long the network of each is trained."""

    networks: Mapping[str, self_supervised.Settings]
    epochs: Mapping[str, Epochs]
    shards: Annotated[int, Field(ge=1, le=64)]


def train(project: Project, settings: Settings, name: str) -> Results:
    """Return the trained network and its history."""
    network, epochs = settings.networks[name], settings.epochs[name]
    autoencoder, history = train_all_epochs(
        project, "self_supervised", network, epochs, shards=settings.shards
    )
    return {f"models/{name}.keras": autoencoder.network, f"histories/{name}.csv": history}
