"""Train one network for all kinds of noise at once."""

from collections.abc import Mapping

import keras
import pandas as pd

from cae.core.config import Section
from cae.datasets.noise import Noise
from cae.engine.engine import choose_engine
from cae.networks import convolutional, residual
from cae.networks.settings import Epochs, NetworkSettings
from stages.prepared_images import read_training_images
from stages.runner.project import Project, Results
from stages.train import fit_task
from studies.denoising import residual_cnn
from studies.training import PREPARED, train_all_epochs

# The networks of the main pipeline, with their default settings.
NETWORKS: Mapping[str, NetworkSettings] = {
    "convolutional": convolutional.Settings(),
    "residual": residual.Settings(),
}


class NetworkEpochs(Section):
    """How long the networks of the main pipeline are trained."""

    convolutional: Epochs
    residual: Epochs


class Settings(Section):
    """What the stage reads of params.yaml."""

    epochs: NetworkEpochs
    residual_cnn: residual_cnn.Settings
    training_noise: Noise


def train(project: Project, settings: Settings, network: str) -> Results:
    """Return a trained network and its history, a row per epoch."""
    if network in NETWORKS:
        epochs = getattr(settings.epochs, network)
        noisy = append_noise(NETWORKS[network], settings.training_noise)
        autoencoder, history = train_all_epochs(project, network, noisy, epochs)
        trained = autoencoder.network
    else:
        trained, history = train_without_bottleneck(project, settings)
    return {f"models/{network}.keras": trained, f"histories/{network}.csv": history}


def append_noise(settings: NetworkSettings, noise: Noise) -> NetworkSettings:
    """Return the settings of a network with noise after its augmentations."""
    return settings.model_copy(update={"augmentations": (*settings.augmentations, noise)})


def train_without_bottleneck(project: Project, settings: Settings) -> tuple[keras.Model, pd.DataFrame]:
    """Train the residual CNN, or resume a training that was killed."""
    images, validation = read_training_images(project, PREPARED)
    recipe = settings.residual_cnn
    network = residual_cnn.build(recipe, images.shape[1:], recipe.seed)
    augmentations = (*recipe.augmentations, settings.training_noise)
    task = residual_cnn.task(network, augmentations, choose_engine(recipe.engine))
    return network, fit_task(project, task, recipe, images, validation)
