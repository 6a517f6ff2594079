"""Train the default network with one batch size, learning rate and seed."""

from cae.core.config import Section
from cae.networks.settings import Epochs
from stages.runner.project import Project, Results
from studies.training import train_all_epochs


class Settings(Section):
    """For how long every network is trained."""

    epochs: Epochs


def train(project: Project, settings: Settings, batch_size: int, learning_rate: float, seed: int) -> Results:
    """Return the trained network and its history."""
    network = {"batch_size": batch_size, "learning_rate": learning_rate}
    autoencoder, history = train_all_epochs(project, "convolutional", network, settings.epochs, seed=seed)
    name = f"{batch_size}-{learning_rate}-{seed}"
    return {f"models/{name}.keras": autoencoder.network, f"histories/{name}.csv": history}
