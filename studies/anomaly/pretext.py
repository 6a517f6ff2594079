"""Networks that predict what was done to an image of one class: how it was changed, or where a part was cut.

Trained on one class alone, such a network becomes unsure on images of others. The score of an image is
therefore how improbable the right answers are to the network:

    score = −Σ ln p(answer of a head | changed image)   over some changes and all heads

`transformations`: an image is stretched, shifted and turned. Golan, El-Yaniv: Deep Anomaly Detection Using
Geometric Transformations (2018), https://arxiv.org/abs/1805.10917; with a head for each kind of
transformation: Hendrycks et al. (2019), https://arxiv.org/abs/1906.12340, section 4.

`positions`: a square is cut out of an image and turned; the network predicts where it was. The idea of
Doersch, Gupta, Efros: Unsupervised Visual Representation Learning by Context Prediction (2015),
https://arxiv.org/abs/1505.05192.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers
from pydantic import Field
from scipy.special import log_softmax

from cae.core.arrays import Images, Scores
from cae.datasets.augmentations import Phase
from cae.networks.autoencoder import predict
from cae.networks.settings import Recipe, Width
from cae.networks.tasks import Engine, Task, softmax_cross_entropy

Answers = Sequence[npt.NDArray[np.int64]]
"""For each head the right answers for images (...,), as the places of its outputs."""

# The images that the networks are trained on (`images.TRANSFORMS`): two transforms would take too long.
TRANSFORM = "roots"
# Quarter turns; the shifts, as shares of the height and the width; and the factors by which rows and columns
# are stretched. The first of each leaves an image as it is.
TURNS = 4
SHIFTS = tuple((down / 7, right / 7) for down in (0, -1, 1) for right in (0, -1, 1))
STRETCHES = ((1.0, 1.0), (1.0, 0.78), (1.0, 1.28), (0.78, 1.0), (1.28, 1.0))
# A square that is cut out has this share of the sides, and one of so many places along either axis.
SHARE = 3 / 7
PLACES = 5


class Settings(Recipe):
    """The size of a network, and how it is trained."""

    # Filters of each convolution, 3 × 3; the image is halved after it.
    filters: Annotated[tuple[Width, ...], Field(min_length=1, max_length=5, strict=False)]
    # Numbers of the two hidden layers after the convolutions.
    widths: Annotated[tuple[Width, Width], Field(strict=False)]


class Pretext(NamedTuple):
    """A question about images whose answer is known."""

    # Name of each head → how many answers it has.
    heads: Mapping[str, int]
    # Square images (..., H, W, C) and the answers → the images (..., H', W', C) that the network is shown.
    change: Callable[[Images, Answers], Images]
    # The answers of all heads for which an image is scored.
    scored: Sequence[tuple[int, ...]]


def build(pretext: Pretext, settings: Settings, image_shape: tuple[int, ...], seed: int) -> keras.Model:
    """Build the untrained network: changed images (N, H', W', C) → the logits (N, answers) of each head.

    Every kernel is drawn (He uniform) from `seed` and its place in the network alone.
    """
    seeds = itertools.count(seed * 100)

    def draw_kernel() -> keras.initializers.Initializer:
        return keras.initializers.HeUniform(seed=next(seeds))

    first = [np.zeros(1, np.int64) for _ in pretext.heads]
    shape = pretext.change(np.zeros((1, *image_shape), np.float32), first).shape[1:]
    # Every layer has a name, because Keras's own names count all layers that the process has built.
    image = keras.Input(shape, name="image")
    hidden = image
    for place, filters in enumerate(settings.filters, 1):
        convolution = layers.Conv2D(
            filters,
            3,
            padding="same",
            activation="relu",
            kernel_initializer=draw_kernel(),
            name=f"convolution_{place}",
        )
        hidden = layers.MaxPooling2D(2, name=f"pooling_{place}")(convolution(hidden))
    hidden = layers.Flatten(name="flatten")(hidden)
    for place, width in enumerate(settings.widths, 1):
        hidden = layers.Dense(
            width, activation="relu", kernel_initializer=draw_kernel(), name=f"hidden_{place}"
        )(hidden)
    logits = [
        layers.Dense(answers, kernel_initializer=draw_kernel(), name=name)(hidden)
        for name, answers in pretext.heads.items()
    ]
    return keras.Model(image, logits, name="pretext")


def task(pretext: Pretext, network: keras.Model, engine: Engine) -> Task:
    """Minimise the cross-entropies of all heads, for answers that are drawn in validation as in training."""
    arithmetic = engine.arithmetic

    def cross_entropy(targets: list[tf.Tensor], logits: list[tf.Tensor]) -> tf.Tensor:
        of_heads = [
            softmax_cross_entropy(arithmetic, right, rows)
            for right, rows in zip(targets, logits, strict=True)
        ]
        return sum(of_heads[1:], of_heads[0])

    def draw_examples(
        images: Images, draws: np.random.Generator, _: Phase
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        answers = [draws.integers(0, count, images.shape[:-3]) for count in pretext.heads.values()]
        targets = [
            tf.constant(np.eye(count, dtype=np.float32)[right])
            for count, right in zip(pretext.heads.values(), answers, strict=True)
        ]
        return tf.constant(pretext.change(images, answers)), targets

    losses = {"loss": cross_entropy}
    return Task(network, engine.build_forward(network), losses, draw_examples, arithmetic)


def score(pretext: Pretext, network: keras.Model, images: Images) -> Scores:
    """Return −Σ ln p of the right answers for square images (N, H, W, C): (N,) float64 ≥ 0."""
    total = np.zeros(len(images))
    for right in pretext.scored:
        changed = pretext.change(images, [np.full(len(images), answer) for answer in right])
        for answer, logits in zip(right, predict(network, changed), strict=True):
            total -= log_softmax(logits.astype(np.float64), axis=1)[:, answer]
    return total


def transform(images: Images, answers: Answers) -> Images:
    """Stretch images (..., H, W, C), then shift them, then turn them."""
    turns, shifts, stretches = answers
    height, width = images.shape[-3:-1]
    result = images.copy()
    for index, factors in enumerate(STRETCHES[1:], 1):
        chosen = stretches == index
        for axis, factor in enumerate(factors, 1):
            if factor != 1:
                result[chosen] = stretch(result[chosen], factor, axis)
    for index, (down, right) in enumerate(SHIFTS[1:], 1):
        chosen = shifts == index
        result[chosen] = shift(result[chosen], round(down * height), round(right * width))
    return turn(result, turns)


def cut(images: Images, answers: Answers) -> Images:
    """Cut a square out of each of the images (..., H, W, C), and turn it."""
    places, turns = answers
    height, width, channels = images.shape[-3:]
    side = round(SHARE * height)
    result = np.empty((*images.shape[:-3], side, side, channels), images.dtype)
    for index in range(PLACES**2):
        chosen = places == index
        top, left = (
            round(step * (size - side) / (PLACES - 1))
            for step, size in zip(divmod(index, PLACES), (height, width), strict=True)
        )
        result[chosen] = images[chosen][:, top : top + side, left : left + side]
    return turn(result, turns)


def turn(images: Images, turns: npt.NDArray[np.int64]) -> Images:
    """Turn each of the square images (..., H, H, C) by so many quarters, in place; return them."""
    for count in range(1, TURNS):
        chosen = turns == count
        images[chosen] = np.rot90(images[chosen], count, axes=(1, 2))
    return images


def stretch(images: Images, factor: float, axis: int) -> Images:
    """Stretch images (N, H, W, C) about their middle along an axis, linearly interpolated; black enters."""
    size = images.shape[axis]
    middle = (size - 1) / 2
    # There is a black pixel before and after the others, from which everything outside is read.
    places = np.clip((np.arange(size) - middle) / factor + middle, -1, size) + 1
    before = np.minimum(places.astype(np.int64), size)
    weights = (places - before).astype(np.float32).reshape((-1, *[1] * (3 - axis)))
    padded = np.pad(images, [(1, 1) if place == axis else (0, 0) for place in range(4)])
    first, second = (padded.take(before + step, axis) for step in (0, 1))
    return first * (1 - weights) + second * weights


def shift(images: Images, down: int, right: int) -> Images:
    """Shift images (N, H, W, C) by so many pixels; black enters."""
    height, width = images.shape[1:3]
    rows, columns = abs(down), abs(right)
    padded = np.pad(images, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
    return padded[:, rows - down : rows - down + height, columns - right : columns - right + width]


PRETEXTS: Mapping[str, Pretext] = {
    "transformations": Pretext(
        {"turn": TURNS, "shift": len(SHIFTS), "stretch": len(STRETCHES)},
        transform,
        [(quarters, 0, 0) for quarters in range(TURNS)],
    ),
    "positions": Pretext(
        {"position": PLACES**2, "turn": TURNS}, cut, [(place, 0) for place in range(PLACES**2)]
    ),
}
