"""Training images that are moved by a pixel: more pictures to learn from than there are.

The residual network reconstructs images that it was trained on better than others, the more so the longer
it is trained. Moved ones differ from epoch to epoch, and clothes a pixel higher up are clothes.
"""

from itertools import product
from typing import Any

import keras
import numpy as np

from cae.engine.losses import Tensors
from cae.engine.tasks import Task
from cae.ground.arrays import Images


class Phase(keras.callbacks.Callback):
    """Knows whether images are drawn for training or for validation."""

    training = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Training images are about to be drawn."""
        self.training = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """They were trained on."""
        self.training = False


def shifted(task: Task, phase: Phase) -> Task:
    """Return a task whose training images are moved; those of validation stay where they are."""

    def examples(images: Images, draws: np.random.Generator) -> tuple[Tensors, Tensors]:
        return task.examples(moved(images, draws) if phase.training else images, draws)

    return task._replace(examples=examples)


def moved(images: Images, draws: np.random.Generator) -> Images:
    """Move about half of the images (..., H, W, C) by at most a pixel down or up and right or left.

    That half is put in one of nine places, drawn evenly; one is where it was. What comes in is black.
    """
    height, width, _ = images.shape[-3:]
    each = images.shape[:-3]
    places = np.where(draws.random(each) < 0.5, draws.integers(0, 9, each), 4)
    framed = np.pad(images, [(0, 0)] * len(each) + [(1, 1), (1, 1), (0, 0)])
    result = np.empty_like(images)
    for place, (top, left) in enumerate(product(range(3), repeat=2)):
        there = places == place
        result[there] = framed[there][:, top : top + height, left : left + width]
    return result
