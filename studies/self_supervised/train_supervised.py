"""Train the same encoder with all labels to name the class of an image: the upper bound."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from cae.core.arrays import Images, Labels
from cae.core.config import Section
from cae.datasets.augmentations import Phase, mirror
from cae.engine.engine import choose_engine
from cae.networks import self_supervised
from cae.networks.autoencoder import Autoencoder
from cae.networks.residual import dense
from cae.networks.settings import Epochs, combine
from cae.networks.tasks import Engine, Task, softmax_cross_entropy
from stages.prepared_images import read_class_names, read_labels, read_training_images
from stages.runner.project import Project, Results
from stages.train import Train, fit_task
from studies.self_supervised import PREPARED, SUPERVISED


class Settings(Section):
    """The encoder, and for how long it is trained."""

    networks: Mapping[str, self_supervised.Settings]
    epochs: Mapping[str, Epochs]
    shards: Annotated[int, Field(ge=1, le=64)]


def train_supervised(project: Project, settings: Settings) -> Results:
    """Return an autoencoder with the trained encoder and an untrained decoder, and the history."""
    network, epochs = settings.networks[SUPERVISED], settings.epochs[SUPERVISED]
    # No early stopping: the learning rate has to fall to 0.
    recipe = combine(Train(epochs=epochs, patience=epochs, shards=settings.shards), network)
    images, validation = read_training_images(project, PREPARED)
    labels, validation_labels = (read_labels(project, PREPARED, split) for split in ("train", "validation"))
    autoencoder = self_supervised.build(network, images.shape[1:], recipe.seed)
    classes = len(read_class_names(project, PREPARED))
    task = build_task(autoencoder, classes, choose_engine(recipe.engine))
    history = fit_task(
        project, task, recipe, add_labels(images, labels), add_labels(validation, validation_labels)
    )
    return {
        f"models/{SUPERVISED}.keras": autoencoder.network,
        f"histories/{SUPERVISED}.csv": history,
    }


def add_labels(images: Images, labels: Labels) -> Images:
    """Return images with their labels as a further channel: training hands images alone to a task."""
    channel = np.broadcast_to(labels[:, np.newaxis, np.newaxis, np.newaxis], (*images.shape[:3], 1))
    return np.concatenate([images, channel], axis=-1, dtype=np.float32)


def build_task(autoencoder: Autoencoder, classes: int, engine: Engine) -> Task:
    """Minimise the cross-entropy of the class, −ln e^(z_c) / Σ e^(z_k), z: a linear map of the code."""
    arithmetic = engine.arithmetic
    image = keras.Input(autoencoder.encoder.input_shape[1:])
    logits = dense(classes, iter([0]))(autoencoder.encoder(image))
    network = keras.Model(image, logits)

    def draw(images: Images, draws: np.random.Generator, phase: Phase) -> tuple[tf.Tensor, tf.Tensor]:
        clean = mirror(images, draws) if phase.training else images
        labels = clean[..., 0, 0, -1].astype(np.int64)
        return tf.constant(clean[..., :-1]), tf.one_hot(labels, classes)

    losses = {"loss": partial(softmax_cross_entropy, arithmetic)}
    return Task(network, engine.build_forward(network), losses, draw, arithmetic)
