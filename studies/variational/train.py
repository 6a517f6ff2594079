"""Train the variational network with one weight of the divergence."""

import stages.train
from cae.core.config import Section, validate
from cae.networks.settings import Epochs
from stages.runner.project import Project, Results
from stages.train import read_images, train_network


class Settings(Section):
    """What the stage reads of params.yaml."""

    # Checked with the other settings of the network.
    codes: int
    epochs: Epochs


def train(project: Project, settings: Settings, beta: float) -> Results:
    """Return the trained network and its history."""
    run = {
        "model": {"name": "variational", "variational": {"beta": beta, "codes": settings.codes}},
        # No early stopping: the learning rate has to fall to 0.
        "train": {"epochs": settings.epochs, "patience": settings.epochs},
    }
    chosen = validate(run, stages.train.Settings, project.folder / "params.yaml")
    images = read_images(project, "../../data/prepared")
    autoencoder, history = train_network(project, chosen.model, chosen.train, *images)
    return {f"models/{beta}.keras": autoencoder.network, f"histories/{beta}.csv": history}
