"""The upper bound: the same encoder, trained with all labels to name the class of an image."""

from contextlib import closing
from functools import partial

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from cae.core.arrays import Images, Labels
from cae.datasets import prepared
from cae.datasets.augmentations import Phase, mirror
from cae.engine import training
from cae.engine.engine import choose_engine
from cae.networks import self_supervised
from cae.networks.autoencoder import Autoencoder
from cae.networks.residual import dense
from cae.networks.settings import Train, combine
from cae.networks.tasks import Engine, Task, softmax_cross_entropy
from stages.runner.project import Project
from stages.train import ProgressBar
from studies.self_supervised import PREPARED


def train(
    project: Project,
    settings: self_supervised.Settings,
    train: Train,
    images: Images,
    validation: Images,
) -> tuple[Autoencoder, pd.DataFrame]:
    """Train the encoder, or resume; return an autoencoder, whose decoder is untrained, and the history."""
    recipe = combine(train, settings)
    folder = project.path(f"{PREPARED}/train_labels.npy").parent
    labels, validation_labels = (prepared.read_labels(folder, split) for split in ("train", "validation"))
    autoencoder = self_supervised.build(settings, images.shape[1:], recipe.seed)
    task = build_task(autoencoder, int(max(labels)) + 1, choose_engine(recipe.engine))
    checkpoint = project.checkpoint()
    with checkpoint.lock(), closing(ProgressBar(recipe.epochs)) as bar:
        history = training.fit(
            task,
            add_labels(images, labels),
            add_labels(validation, validation_labels),
            recipe,
            checkpoint,
            [bar],
        )
    return autoencoder, history


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
