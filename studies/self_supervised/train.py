"""Train the network on one task, without labels, or with all of them for the upper bound."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from cae.core.config import Section
from cae.networks import self_supervised
from cae.networks.model import Model
from cae.networks.settings import Epochs
from stages.runner.project import Project, Results
from stages.train import Train, read_images, train_network
from studies.self_supervised import PREPARED, SUPERVISED, supervised


class Settings(Section):
    """The tasks, and for how long the network of each is trained."""

    networks: Mapping[str, self_supervised.Settings]
    epochs: Mapping[str, Epochs]
    shards: Annotated[int, Field(ge=1, le=64)]


def train(project: Project, settings: Settings, name: str) -> Results:
    """Return the trained network and its history."""
    images, validation = read_images(project, PREPARED)
    epochs = settings.epochs[name]
    # No early stopping: the learning rate has to fall to 0.
    recipe = Train(epochs=epochs, patience=epochs, shards=settings.shards)
    network = settings.networks[name]
    if name == SUPERVISED:
        autoencoder, history = supervised.train(project, network, recipe, images, validation)
    else:
        model = Model.model_validate({"name": "self_supervised", "self_supervised": network})
        autoencoder, history = train_network(project, model, recipe, images, validation)
    return {f"models/{name}.keras": autoencoder.network, f"histories/{name}.csv": history}
