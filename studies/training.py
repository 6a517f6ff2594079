"""Training as of the main pipeline, but with other settings and without early stopping."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

import stages.train
from cae.core.config import validate
from cae.networks.autoencoder import Autoencoder
from cae.networks.settings import NetworkSettings
from stages.prepared_images import read_training_images
from stages.runner.project import Project
from stages.train import train_network

PREPARED = "../../data/prepared"


def train_all_epochs(
    project: Project,
    network: str,
    settings: NetworkSettings | Mapping[str, Any],
    epochs: int,
    name: str = "",
    **recipe: int,
) -> tuple[Autoencoder, pd.DataFrame]:
    """Train a network on the images of the main pipeline, or resume a training that was killed.

    Args:
        project: the study.
        network: which network.
        settings: those of the network; others have their defaults.
        epochs: of the training.
        name: tells the checkpoints of several networks of one stage apart.
        recipe: further settings of the training, such as `seed`.

    Returns:
        The network with the weights of its best epoch, and the history, a row per epoch.

    Raises:
        UserError: a setting is wrong, or as `train_network`.
    """
    content = {
        "model": {"name": network, network: settings},
        # No early stopping: the learning rate has to fall to 0.
        "train": {"epochs": epochs, "patience": epochs, **recipe},
    }
    chosen = validate(content, stages.train.Settings, project.folder / "params.yaml")
    images, validation = read_training_images(project, PREPARED)
    return train_network(project, chosen.model, chosen.train, images, validation, name)
