"""What training computes: every network, task and augmentation on a few small images, to the last bit."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers

from behaviour import Cases, examples
from cae.core import files
from cae.core.arrays import Images
from cae.datasets.augmentations import Augmentation, Mirror, Phase, Shift
from cae.datasets.noise import Noise
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.networks import convolutional, discriminative, residual, self_supervised, tasks, variational
from cae.networks.settings import Recipe
from cae.networks.tasks import Task

MIRROR, SHIFT = Mirror(kind="mirror"), Shift(kind="shift", pixels=2)
KINDS: Sequence[Any] = ("gaussian", "salt_and_pepper", "squares", "mixed")
ENGINE = choose_engine("fast")
# Batches with a remainder; shards of unequal size, longer than the vectors of any processor, which compute
# otherwise than what remains of an array; a learning rate that rises and falls.
RECIPE = Recipe(
    epochs=2,
    patience=1,
    shards=3,
    engine="fast",
    batch_size=50,
    learning_rate=0.004,
    warm_up=1,
    seed=5,
)


def clear_names_before(case: Callable[[], Any]) -> Callable[[], Any]:
    """Let a case build its networks as the first of a process: Keras counts layers, to name them."""

    def run() -> Any:
        keras.utils.clear_session()
        return case()

    return run


class KillError(Exception):
    """Breaks a training off after an epoch, as a kill does."""


def train(task: Task, train: Images, validation: Images) -> dict[str, Any]:
    """Train a network, killed after its first epoch and resumed; return all that training makes."""

    def stop(history: pd.DataFrame) -> None:
        raise KillError

    with TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder), "run")
        initial = task.network.get_weights()
        try:
            training.fit(task, train, validation, RECIPE, checkpoint, record=stop)
        except KillError:
            # A resumed run begins with a network as it was built.
            task.network.set_weights(initial)
        history = training.fit(task, train, validation, RECIPE, checkpoint)
        state = checkpoint.load()
        assert state is not None
        files.write_model(Path(folder) / "model.keras", task.network)
        model = (Path(folder) / "model.keras").read_bytes()
    return {
        "weights": task.network.get_weights(),
        "losses": history,
        "optimizer": list(state.arrays["optimizer"]),
        "model": model,
    }


def reconstruct(
    network: keras.Model,
    objective: str = "cross_entropy",
    augmentations: Sequence[Augmentation] = (),
) -> dict[str, Any]:
    """Train an autoencoder to reconstruct small images of its shape."""
    height, width, channels = network.input_shape[1:]
    images = examples.images(90, height, width, channels, seed=1)
    task = tasks.reconstruct(network, ENGINE, objective, augmentations)
    return train(task, images[:70], images[70:])


def train_convolutional() -> list[dict[str, Any]]:
    """Train the default network, and one of odd sizes in colour."""
    shapes = (((32, 16, 8), (28, 28, 1)), ((5, 3, 2), (20, 12, 3)))
    return [
        reconstruct(convolutional.build(convolutional.Settings(filters=filters), shape, 3).network)
        for filters, shape in shapes
    ]


def train_residual() -> dict[str, Any]:
    """Train the residual network on squared error."""
    return reconstruct(
        residual.build(residual.Settings(code_size=17, width=70), (12, 12, 1), 3).network, "squared_error"
    )


def train_variational() -> list[dict[str, Any]]:
    """Train both kinds of the variational network, on the bounds of one code and of several."""
    images = examples.images(90, 12, 12, 1, seed=1)
    results = []
    for kind, codes, beta in (("gelu", 1, 2.0), ("gated", 3, 1.0)):
        settings = variational.Settings.model_validate(
            {"code_size": 5, "width": 19, "layers": kind, "codes": codes, "beta": beta, "rise": 2}
        )
        built = variational.build(settings, (12, 12, 1), 3)
        results.append(train(variational.task(settings, built, ENGINE), images[:70], images[70:]))
    return results


def train_discriminative() -> list[dict[str, Any]]:
    """Train the discriminative network on drawn defects, of grey images and in colour."""
    results = []
    for shape in ((12, 20, 1), (12, 12, 3)):
        settings = discriminative.Settings(width=3, filters=2, augmentations=(MIRROR,))
        built = discriminative.build(settings, shape, 3)
        images = examples.images(90, *shape, seed=1)
        results.append(train(discriminative.task(settings, built, ENGINE), images[:70], images[70:]))
    return results


def train_self_supervised() -> list[dict[str, Any]]:
    """Train on every task that a network sets itself, and on one of them together with reconstruction."""
    images = examples.images(90, 13, 10, 1, seed=1)
    results = []
    for task, reconstruction in (
        ("contrastive", 0.0),
        ("vicreg", 0.0),
        ("masked", 0.0),
        ("words", 0.0),
        ("contrastive", 2.0),
        ("prototypes", 0.0),
    ):
        settings = self_supervised.Settings.model_validate(
            {
                "task": task,
                "reconstruction": reconstruction,
                "filters": (3, 4, 5),
                "code_size": 6,
                "width": 17,
                "words": 7,
                "prototypes": 5,
            }
        )
        built = self_supervised.build(settings, (13, 10, 1), 3)
        results.append(train(self_supervised.task(settings, built, ENGINE), images[:70], images[70:]))
    return results


def train_augmented(augmentations: Sequence[Augmentation]) -> dict[str, Any]:
    """Train a small network on images that are changed."""
    return reconstruct(
        convolutional.build(convolutional.Settings(filters=(4, 3, 2)), (12, 20, 1), 3).network,
        augmentations=augmentations,
    )


def train_on_noise() -> list[dict[str, Any]]:
    """Train on every kind of noise."""
    return [train_augmented([Noise(kind=kind, strength=0.4)]) for kind in KINDS]


def train_custom_network() -> dict[str, Any]:
    """Train a network of somebody's own on a task of their own: branches, every activation, no sigmoid."""
    image = keras.Input((12, 12, 1))
    initializers = (keras.initializers.HeUniform(seed=seed) for seed in range(9))
    left = layers.Conv2D(3, 3, padding="same", activation="relu", kernel_initializer=next(initializers))(
        image
    )
    right = layers.Conv2D(3, 2, padding="same", activation="tanh", kernel_initializer=next(initializers))(
        image
    )
    rows = layers.Flatten()(
        layers.Concatenate()([layers.Add()([left, right]), layers.Multiply()([left, right])])
    )
    gate = layers.Dense(11, activation="sigmoid", kernel_initializer=next(initializers))(rows)
    hidden = layers.Dense(11, activation="gelu", kernel_initializer=next(initializers))(rows)
    answer = layers.Dense(144, kernel_initializer=next(initializers))(layers.Multiply()([gate, hidden]))
    network = keras.Model(image, layers.Reshape((12, 12, 1))(answer), name="custom")

    def take_negative(images: Images, _: np.random.Generator, phase: Phase) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.constant(images), tf.constant(1 - images)

    task = Task(
        network,
        ENGINE.build_forward(network),
        {"loss": ENGINE.arithmetic.squared_error},
        take_negative,
        ENGINE.arithmetic,
    )
    images = examples.images(90, 12, 12, 1, seed=1)
    return train(task, images[:70], images[70:])


def train_classifier() -> dict[str, Any]:
    """Train a network to name the row of an image that has its brightest pixel, on softmax cross-entropy."""
    image = keras.Input((12, 12, 1))
    hidden = layers.Conv2D(
        3, 3, padding="same", activation="relu", kernel_initializer=keras.initializers.HeUniform(seed=0)
    )(image)
    logits = layers.Dense(12, kernel_initializer=keras.initializers.HeUniform(seed=1))(
        layers.Flatten()(hidden)
    )
    network = keras.Model(image, logits, name="classifier")

    def draw(images: Images, _: np.random.Generator, phase: Phase) -> tuple[tf.Tensor, tf.Tensor]:
        rows = images.max(axis=(-2, -1)).argmax(axis=-1)
        return tf.constant(images), tf.one_hot(rows, 12)

    loss = partial(tasks.softmax_cross_entropy, ENGINE.arithmetic)
    task = Task(network, ENGINE.build_forward(network), {"loss": loss}, draw, ENGINE.arithmetic)
    images = examples.images(90, 12, 12, 1, seed=1)
    return train(task, images[:70], images[70:])


CASES: Cases = {
    "augmentations": clear_names_before(partial(train_augmented, [MIRROR, SHIFT])),
    "classifier": clear_names_before(train_classifier),
    "convolutional": clear_names_before(train_convolutional),
    "custom_network": clear_names_before(train_custom_network),
    "discriminative": clear_names_before(train_discriminative),
    "noise": clear_names_before(train_on_noise),
    "residual": clear_names_before(train_residual),
    "self_supervised": clear_names_before(train_self_supervised),
    "variational": clear_names_before(train_variational),
}
