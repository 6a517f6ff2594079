"""Training images that are moved by a pixel: more pictures to learn from than there are.

With 128 numbers the residual network reconstructs the images it was trained on a third better than others.
Moved ones differ from epoch to epoch, and clothes a pixel higher up are clothes: the gap nearly closes.
"""

from itertools import product
from typing import Any

import keras
import numpy as np

from cae.engine.losses import Tensors
from cae.engine.tasks import Task
from cae.ground.arrays import Images


class Training(keras.callbacks.Callback):
    """Knows whether images are drawn for training or for validation."""

    now = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Training images are about to be drawn."""
        self.now = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """They were trained on."""
        self.now = False


def shifted(task: Task, training: Training) -> Task:
    """Return a task whose training images are moved; those of validation stay where they are."""

    def examples(images: Images, draws: np.random.Generator) -> tuple[Tensors, Tensors]:
        return task.examples(moved(images, draws) if training.now else images, draws)

    return task._replace(examples=examples)


def moved(images: Images, draws: np.random.Generator) -> Images:
    """Move about half of the images (..., H, W, C) by at most a pixel down or up and right or left.

    All nine places are as likely, where they are among them. What comes in at an edge is black.
    """
    height, width, _ = images.shape[-3:]
    each = images.shape[:-3]
    places = np.where(draws.random(each) < 0.5, draws.integers(0, 9, each), 4)
    framed = np.pad(images, [(0, 0)] * len(each) + [(1, 1), (1, 1), (0, 0)])
    result = np.empty_like(images)
    for place, (down, right) in enumerate(product(range(3), repeat=2)):
        there = places == place
        result[there] = framed[there][:, down : down + height, right : right + width]
    return result
