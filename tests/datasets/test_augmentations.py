"""Augmentations: what each does to training images, and what it leaves alone."""

import numpy as np
import pytest

from cae.core.arrays import Images
from cae.datasets.augmentations import Augmentation, Mirror, Phase, Shift, augment, mirror, shift
from cae.datasets.noise import Noise

TRAINING, VALIDATION = Phase(training=True, epoch=0), Phase(training=False, epoch=0)
NUMBERED: Images = np.arange(4000 * 6, dtype=np.float32).reshape(40, 100, 2, 3, 1)
NOISE = Noise(kind="gaussian", strength=0.2)
GEOMETRIC = (Mirror(kind="mirror"), Shift(kind="shift", pixels=1))


def drawn(augmentations: tuple[Augmentation, ...], phase: Phase) -> tuple[Images, Images]:
    images = np.random.default_rng(1).random((3, 20, 6, 5, 1), np.float32)
    return augment(images, augmentations, np.random.default_rng(0), phase)


def test_half_of_the_images_are_turned_left_to_right() -> None:
    shown = mirror(NUMBERED, np.random.default_rng(0))
    as_they_are = (shown == NUMBERED).all(axis=(2, 3, 4))
    turned = (shown == NUMBERED[:, :, :, ::-1]).all(axis=(2, 3, 4))
    assert np.array_equal(turned, ~as_they_are)
    assert np.mean(turned) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("pixels", [1, 2])
def test_half_of_the_images_are_put_in_one_of_the_places_around(pixels: int) -> None:
    images = np.zeros((10_000, 7, 7, 1), np.float32)
    images[:, 3, 3] = 1
    _, rows, columns, _ = np.nonzero(shift(images, pixels, np.random.default_rng(0)))
    assert len(rows) == len(images)
    places, counts = np.unique(np.stack([rows, columns]), axis=1, return_counts=True)
    side = 2 * pixels + 1
    assert places.min() == 3 - pixels
    assert places.max() == 3 + pixels
    moved = counts[(places != 3).any(axis=0)] / len(images)
    assert len(moved) == side**2 - 1
    assert moved == pytest.approx(0.5 / side**2, abs=0.01)


def test_what_a_shift_brings_in_is_black() -> None:
    white = np.ones((200, 4, 4, 1), np.float32)
    shares = shift(white, 1, np.random.default_rng(0)).mean(axis=(1, 2, 3))
    assert set(np.round(shares * 16)) == {9, 12, 16}


def test_training_images_are_moved_with_their_targets() -> None:
    inputs, targets = drawn(GEOMETRIC, TRAINING)
    assert inputs is targets
    assert not np.array_equal(inputs, drawn((), TRAINING)[0])


def test_validation_images_stay_as_they_are() -> None:
    np.testing.assert_array_equal(drawn(GEOMETRIC, VALIDATION)[0], drawn((), VALIDATION)[0])


@pytest.mark.parametrize("phase", [TRAINING, VALIDATION])
def test_noise_is_on_the_inputs_alone(phase: Phase) -> None:
    inputs, targets = drawn((NOISE,), phase)
    np.testing.assert_array_equal(targets, drawn((), phase)[0])
    assert np.std(inputs - targets) > 0.05


def test_the_same_draws_give_the_same_images() -> None:
    for one, other in zip(drawn((*GEOMETRIC, NOISE), TRAINING), drawn((*GEOMETRIC, NOISE), TRAINING)):
        np.testing.assert_array_equal(one, other)
