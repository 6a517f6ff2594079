"""Train the variational network with one weight of the divergence."""

from cae.core.config import Section
from cae.networks.settings import Epochs
from stages.runner.project import Project, Results
from studies.training import train_all_epochs


class Settings(Section):
    """What the stage reads of params.yaml."""

    # Checked with the other settings of the network.
    codes: int
    epochs: Epochs


def train(project: Project, settings: Settings, beta: float) -> Results:
    """Return the trained network and its history."""
    network = {"beta": beta, "codes": settings.codes}
    autoencoder, history = train_all_epochs(project, "variational", network, settings.epochs)
    return {f"models/{beta}.keras": autoencoder.network, f"histories/{beta}.csv": history}
