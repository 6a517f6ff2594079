"""Train the default network with one batch size, learning rate and seed."""

import stages.train
from cae.core.config import Section, validate
from cae.networks.settings import Epochs
from stages.runner.project import Project, Results
from stages.train import read_images, train_network


class Settings(Section):
    """For how long every network is trained."""

    epochs: Epochs


def train(project: Project, settings: Settings, batch_size: int, learning_rate: float, seed: int) -> Results:
    """Return the trained network and its history."""
    network = {"batch_size": batch_size, "learning_rate": learning_rate}
    run = {
        "model": {"name": "convolutional", "convolutional": network},
        # No early stopping: the learning rate falls to 0 in every run.
        "train": {"epochs": settings.epochs, "patience": settings.epochs, "seed": seed},
    }
    chosen = validate(run, stages.train.Settings, project.folder / "params.yaml")
    images = read_images(project, "../../data/prepared")
    autoencoder, history = train_network(project, chosen.model, chosen.train, *images)
    name = f"{batch_size}-{learning_rate}-{seed}"
    return {f"models/{name}.keras": autoencoder.network, f"histories/{name}.csv": history}
