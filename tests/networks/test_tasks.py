"""What a network is trained on: its inputs, targets and losses."""

import keras
import numpy as np
import pytest

from cae.datasets.augmentations import Phase
from cae.engine.engine import choose_engine
from cae.networks import tasks
from tests import default

ENGINE = choose_engine("fast")


def test_without_noise_inputs_and_targets_are_one_tensor() -> None:
    task = tasks.reconstruct(default.autoencoder(seed=1).network, ENGINE, "cross_entropy")
    images = np.zeros((1, 2, 28, 28, 1), np.float32)
    inputs, targets = task.draw_examples(images, np.random.default_rng(0), Phase(training=True, epoch=0))
    assert inputs is targets


@pytest.mark.parametrize(
    ("objective", "losses"), [("cross_entropy", ["loss"]), ("squared_error", ["objective", "loss"])]
)
def test_the_objective_comes_first_and_the_cross_entropy_is_reported_once(
    objective: str, losses: list[str]
) -> None:
    assert list(tasks.reconstruct(default.autoencoder(seed=1).network, ENGINE, objective).losses) == losses


def test_a_reconstruction_needs_a_network_that_ends_in_a_sigmoid() -> None:
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="must end in a sigmoid"):
        tasks.reconstruct(network, ENGINE, "cross_entropy")
