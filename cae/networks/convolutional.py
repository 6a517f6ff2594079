"""The default network: three convolutions and poolings down to the code, four convolutions back up."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Annotated

import keras
from keras import layers
from pydantic import AfterValidator, Field

from cae.networks import tasks
from cae.networks.autoencoder import DECODER, ENCODER, Autoencoder, chain
from cae.networks.settings import BatchSize, NetworkSettings
from cae.networks.tasks import Engine, Task

MOST_FILTERS = 512
Shape = tuple[int, ...]


def check_filters(filters: tuple[int, ...]) -> tuple[int, ...]:
    """Refuse another number of convolutions than the network has, and none or very many filters."""
    if len(filters) != 3 or not all(1 <= count <= MOST_FILTERS for count in filters):
        raise ValueError(
            f"{list(filters)} must be three numbers from 1 to {MOST_FILTERS}, "
            "one for each convolution of the encoder, such as [32, 16, 8]"
        )
    return filters


class Settings(NetworkSettings):
    """With these filters 12,785 parameters, and for 28 × 28 pixels a code of 4 × 4 × 8 = 128 numbers."""

    filters: Annotated[tuple[int, ...], Field(strict=False), AfterValidator(check_filters)] = (32, 16, 8)
    batch_size: BatchSize = 16


def task(settings: Settings, autoencoder: Autoencoder, engine: Engine) -> Task:
    """Minimise the cross-entropy between images and reconstructions."""
    return tasks.reconstruct(autoencoder.network, engine, "cross_entropy", settings.augmentations)


def build(settings: Settings, image_shape: Shape, seed: int) -> Autoencoder:
    """Build the untrained network for images (H, W, C), float32 in [0, 1].

    Every kernel is drawn (Glorot uniform) from `seed` and its place in the network alone, so that the start
    does not depend on any global state.

    Raises:
        ValueError: the decoder would not come back to the image's size.
    """
    check_shape(image_shape)
    seeds = itertools.count(seed * 100)
    filters = settings.filters
    return chain(
        encoder(filters, image_shape, seeds),
        decoder(filters, code_shape(filters, image_shape), image_shape, seeds),
    )


def check_shape(image_shape: Shape) -> None:
    """Raise ValueError unless the decoder gives images (H, W, C) back in their size."""
    if any(side % 8 != 4 for side in image_shape[:2]):
        raise ValueError(
            f"images {image_shape} would not come back at their size: both sides must be 4 more than a "
            "multiple of 8"
        )


def encoder(filters: Sequence[int], image_shape: Shape, seeds: Iterator[int]) -> keras.Sequential:
    """Build images (N, H, W, C) → codes (N, ⌈H/8⌉, ⌈W/8⌉, filters[2]) ≥ 0; each kernel takes a seed."""
    stack: list[keras.Layer] = []
    for count in filters:
        # "same" pooling rounds 7 up to 4; with 3 the decoder could not come back to 28.
        stack += [convolution(count, next(seeds)), layers.MaxPooling2D(2, padding="same")]
    return keras.Sequential([keras.Input(image_shape, name="image"), *stack], name=ENCODER)


def decoder(
    filters: Sequence[int], code_shape: Shape, image_shape: Shape, seeds: Iterator[int]
) -> keras.Sequential:
    """Build codes → images (N, H, W, C) in [0, 1], with the encoder's numbers of filters in reverse."""
    stack: list[keras.Layer] = []
    # "valid" takes 16 down to 14, the half of 28.
    for count, padding in zip(reversed(filters), ("same", "same", "valid"), strict=True):
        stack += [convolution(count, next(seeds), padding=padding), layers.UpSampling2D(2)]
    stack.append(convolution(image_shape[-1], next(seeds), activation="sigmoid"))
    return keras.Sequential([keras.Input(code_shape, name="code"), *stack], name=DECODER)


def code_shape(filters: Sequence[int], image_shape: Shape) -> Shape:
    """Return the shape of an image's code: three poolings halve each side, rounding up."""
    height, width = image_shape[:2]
    return (-(-height // 8), -(-width // 8), filters[-1])


def code_size(filters: Sequence[int], image_shape: Shape) -> int:
    """Return how many numbers the code of one image has."""
    return math.prod(code_shape(filters, image_shape))


def convolution(filters: int, seed: int, activation: str = "relu", padding: str = "same") -> layers.Conv2D:
    """Build a convolution with kernels of 3 × 3, drawn from `seed`."""
    initializer = keras.initializers.GlorotUniform(seed=seed)
    return layers.Conv2D(filters, 3, padding=padding, activation=activation, kernel_initializer=initializer)
