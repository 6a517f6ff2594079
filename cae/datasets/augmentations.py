"""Augmentations: random changes of training images, and noise on the inputs of a network.

Every change is drawn from the seed and the epoch, so it is the same after a kill and on every machine.
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
    """Mirror half of the training images left to right, drawn anew in each epoch."""

    kind: Literal["mirror"]


class Shift(Section):
    """Shift half of the training images by up to so many pixels, drawn anew in each epoch."""

    kind: Literal["shift"]
    pixels: Annotated[int, Field(ge=1, le=64)]


Augmentation = Annotated[Mirror | Shift | Noise, Field(discriminator="kind")]


def check_noise_is_last(augmentations: tuple[Augmentation, ...]) -> tuple[Augmentation, ...]:
    """Refuse to mirror or shift noisy images, because their clean targets would not follow."""
    are_noise = [isinstance(augmentation, Noise) for augmentation in augmentations]
    if are_noise != sorted(are_noise):
        raise ValueError("noise must come last in the list: put mirror and shift before it")
    return augmentations


class Phase(NamedTuple):
    """Training or validation, and in which epoch, from 0."""

    training: bool
    epoch: int


def augment(
    images: Images, augmentations: Sequence[Augmentation], draws: np.random.Generator, phase: Phase
) -> tuple[Images, Images]:
    """Return the inputs and the targets of a network for clean images (..., H, W, C).

    Mirror and shift change inputs and targets alike, and only in training. Noise changes only the inputs, in
    validation too; it must come last (`check_noise_is_last`).
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
    """Mirror about half of the images (..., H, W, C) left to right."""
    chosen = draws.random(images.shape[:-3]) < 0.5
    return np.where(chosen[..., np.newaxis, np.newaxis, np.newaxis], images[..., ::-1, :], images)


def shift(images: Images, pixels: int, draws: np.random.Generator) -> Images:
    """Shift about half of the images (..., H, W, C) by up to `pixels` along each axis.

    Each of the (2·pixels + 1)² offsets, no shift included, has the same probability for that half. Pixels
    that enter the image are black.
    """
    height, width, _ = images.shape[-3:]
    per_image = images.shape[:-3]
    side = 2 * pixels + 1
    offsets = np.where(draws.random(per_image) < 0.5, draws.integers(0, side**2, per_image), side**2 // 2)
    padded = np.pad(images, [(0, 0)] * len(per_image) + [(pixels, pixels), (pixels, pixels), (0, 0)])
    result = np.empty_like(images)
    for offset, (top, left) in enumerate(product(range(side), repeat=2)):
        chosen = offsets == offset
        result[chosen] = padded[chosen][:, top : top + height, left : left + width]
    return result
