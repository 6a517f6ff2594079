"""Train a residual network with some size of the code."""

from cae.core.config import Section
from cae.networks.model import Model
from stages.prepared_images import read_training_images
from stages.runner.project import Project, Results
from stages.train import Train, find_best, train_network


class Residual(Section):
    """The network, and how it is trained."""

    model: Model
    train: Train


class Settings(Section):
    """What the stage reads of params.yaml."""

    residual: Residual


def train_size(project: Project, settings: Settings, size: int) -> Results:
    """Return the network, and its best epoch."""
    images, validation = read_training_images(project, "data/prepared")
    model = settings.residual.model
    network = model.settings.model_copy(update={"code_size": size})
    model = model.model_copy(update={model.name: network})
    autoencoder, history = train_network(project, model, settings.residual.train, images, validation)
    best = find_best(history)
    return {
        f"trained/{size}.keras": autoencoder.network,
        f"trained/{size}.json": {"best_epoch": int(best["epoch"]), "val_loss": float(best["val_loss"])},
    }
