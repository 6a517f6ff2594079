"""Train one network for all kinds of noise at once."""

from contextlib import closing
from typing import Annotated

import keras
import pandas as pd
from pydantic import Field

from cae.core.arrays import Images
from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.noise import Noise
from cae.engine import training
from cae.engine.engine import choose_engine
from cae.networks import convolutional, residual
from cae.networks.model import Model
from cae.networks.settings import NetworkSettings
from stages.runner.project import Project, Results
from stages.train import ProgressBar, Train, train_network
from studies.denoising import residual_cnn
from studies.denoising.methods import AUTOENCODERS

Count = Annotated[int, Field(ge=1, le=1000)]


class Epochs(Section):
    """How long the networks of the main pipeline are trained."""

    convolutional: Count
    residual: Count


class Settings(Section):
    """What the stage reads of params.yaml."""

    epochs: Epochs
    residual_cnn: residual_cnn.Settings
    training_noise: Noise


def train(project: Project, settings: Settings, network: str) -> Results:
    """Return a trained network and its history, a row per epoch."""
    images, validation = (
        prepared.read_images(project.path(f"../../data/prepared/{split}_images.npy").parent, split)
        for split in ("train", "validation")
    )
    if network in AUTOENCODERS:
        epochs = getattr(settings.epochs, network)
        autoencoder, history = train_network(
            project,
            build_model(network, settings.training_noise),
            # With such patience one bad epoch does not stop training before the learning rate has fallen.
            Train(epochs=epochs, patience=epochs),
            images,
            validation,
        )
        trained = autoencoder.network
    else:
        trained, history = train_without_bottleneck(project, settings, images, validation)
    return {f"models/{network}.keras": trained, f"histories/{network}.csv": history}


def build_model(name: str, noise: Noise) -> Model:
    """Return a network of the main pipeline with its default settings, and noise after its augmentations."""
    defaults: dict[str, NetworkSettings] = {
        "convolutional": convolutional.Settings(),
        "residual": residual.Settings(),
    }
    augmentations = (*defaults[name].augmentations, noise)
    settings = defaults[name].model_copy(update={"augmentations": augmentations})
    return Model.model_validate({"name": name, name: settings})


def train_without_bottleneck(
    project: Project, settings: Settings, images: Images, validation: Images
) -> tuple[keras.Model, pd.DataFrame]:
    """Train the residual CNN, or resume a training that was killed."""
    recipe = settings.residual_cnn
    network = residual_cnn.build(recipe, images.shape[1:], recipe.seed)
    augmentations = (*recipe.augmentations, settings.training_noise)
    task = residual_cnn.task(network, augmentations, choose_engine(recipe.engine))
    checkpoint = project.checkpoint()
    with checkpoint.lock(), closing(ProgressBar(recipe.epochs)) as bar:
        return network, training.fit(task, images, validation, recipe, checkpoint, [bar])
