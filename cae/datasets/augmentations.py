"""Random changes of training images, and what a network is given beside what it should answer.

Every change is drawn from the seed and the epoch: it is the same after a kill, and on every machine.
"""

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from cae.core.arrays import Images
from cae.core.config import Section
from cae.datasets.noise import Noise, add_noise


class Mirror(Section):
    """Half of the training images, drawn anew each epoch, are turned left to right."""

    kind: Literal["mirror"]


class Shift(Section):
    """Half of the training images, drawn anew each epoch, are moved by up to so many pixels."""

    kind: Literal["shift"]
    pixels: Annotated[int, Field(ge=1, le=64)]


Augmentation = Annotated[Mirror | Shift | Noise, Field(discriminator="kind")]


def check_noise_is_last(augmentations: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
    """Refuse to mirror or shift what is noisy already: the clean target would not follow."""
    kinds = [isinstance(one, Noise) for one in augmentations]
    if kinds != sorted(kinds):
        raise ValueError("noise must come last in the list: put mirror and shift before it")
    return augmentations


class Phase(NamedTuple):
    """When images are drawn: for training or validation, and in which epoch, from 0."""

    training: bool
    epoch: int


def augment(
    images: Images, augmentations: Sequence[Augmentation], draws: np.random.Generator, phase: Phase
) -> tuple[Images, Images]:
    """Return images (..., H, W, C) as a network is given them, and as it should answer.

    Only training images are mirrored and shifted, inputs and targets alike; noise is on the inputs alone, in
    validation too. It comes last in the list (`check_noise_is_last`).
    """
    inputs = targets = images
    for augmentation in augmentations:
        match augmentation:
            case Noise():
                inputs = add_noise(inputs, augmentation, draws)
            case Mirror() if phase.training:
                inputs = targets = mirror(targets, draws)
            case Shift() if phase.training:
                inputs = targets = shift(targets, augmentation.pixels, draws)
    return inputs, targets


def mirror(images: Images, draws: np.random.Generator) -> Images:
    """Turn about half of the images (..., H, W, C) left to right."""
    turned = draws.random(images.shape[:-3]) < 0.5
    return np.where(turned[..., np.newaxis, np.newaxis, np.newaxis], images[..., ::-1, :], images)


def shift(images: Images, pixels: int, draws: np.random.Generator) -> Images:
    """Move about half of the images (..., H, W, C) up to so many pixels down or up and right or left.

    That half is put in one of (2·pixels + 1)² places, drawn evenly; one is where it was. What comes in is
    black.
    """
    height, width, _ = images.shape[-3:]
    each = images.shape[:-3]
    side = 2 * pixels + 1
    places = np.where(draws.random(each) < 0.5, draws.integers(0, side**2, each), side**2 // 2)
    framed = np.pad(images, [(0, 0)] * len(each) + [(pixels, pixels), (pixels, pixels), (0, 0)])
    result = np.empty_like(images)
    for place, (top, left) in enumerate(product(range(side), repeat=2)):
        there = places == place
        result[there] = framed[there][:, top : top + height, left : left + width]
    return result
