"""Codes that are learned without labels, from tasks that a network sets itself.

    code        z = A x̂, or z = A x̂ + H x if the encoder also learns from reconstructions
                x: pixels; x̂: their square roots after convolutions, each with ReLU and max-pooling
    image       y = σ(B z + C gelu(D z))            the decoder of the residual network
    projection  p = E gelu(F z), or p = E z         what the tasks compare; only training needs it

The first view of an image is itself or its mirror image; the second is changed by more (`datasets/views.py`).
Tasks:

    contrastive  the views of an image are more alike than those of different images (p, with a hidden layer):
                 Chen et al.: SimCLR (2020), https://arxiv.org/abs/2002.05709
    vicreg       they are alike, while the numbers of p vary, and no two of them vary together:
                 Bardes et al.: VICReg (2022), https://arxiv.org/abs/2105.04906
    masked       the first view is reconstructed from a part of it:
                 He et al.: Masked Autoencoders (2022), https://arxiv.org/abs/2111.06377
    words        p = E z predicts how much each region of the first view shows each visual word, which k-means
                 finds (`visual_words.py`):
                 Gidaris et al.: Bags of Visual Words (2020), https://arxiv.org/abs/2002.12247
    prototypes   p = E z also predicts how near the first view is to each of many training images, compared
                 by their visual words (`prototypes.py`)

The decoder learns to reconstruct the first view. `reconstruction` weighs its squared error in what the
encoder learns: with 0 the encoder learns from the task alone, which for `masked` is a reconstruction.
"""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, Self

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from pydantic import AfterValidator, Field, field_validator, model_validator

from cae.core.arrays import Images
from cae.datasets.augmentations import Phase, mirror
from cae.datasets.views import Views, cover, draw_view
from cae.networks.autoencoder import ENCODER, Autoencoder, compose
from cae.networks.convolutional import check_filters
from cae.networks.prototypes import Prototypes
from cae.networks.residual import dense, two_paths
from cae.networks.settings import Augmentations, BatchSize, CodeSize, DenseSettings, WarmUp, Width
from cae.networks.tasks import Engine, Task
from cae.networks.variational import build_decoder_to_logits
from cae.networks.view_losses import compare_statistics, contrast
from cae.networks.visual_words import REGIONS, VisualWords

Shape = tuple[int, ...]
Tensors = list[tf.Tensor]
PROJECTION = "projection"
# Numbers of a projection that compares views, and of its hidden layer.
PROJECTION_SIZE, PROJECTION_WIDTH = 128, 256


class Settings(DenseSettings):
    """The task, the size of the network, and how views differ."""

    task: Literal["contrastive", "vicreg", "masked", "words", "prototypes"] = "prototypes"
    # Weight of the squared error of reconstructions in what the encoder learns.
    reconstruction: Annotated[float, Field(ge=0, le=1000)] = 0.0
    filters: Annotated[tuple[int, ...], Field(strict=False), AfterValidator(check_filters)] = (32, 64, 128)
    code_size: CodeSize = 128
    # Numbers in the hidden layer of the decoder.
    width: Width = 1024
    # Visual words of the tasks "words" and "prototypes".
    words: Annotated[int, Field(ge=2, le=1000)] = 200
    # Training images that the task "prototypes" compares with.
    prototypes: Annotated[int, Field(ge=2, le=10_000)] = 1000
    # Divides similarities of the task "contrastive": the lower, the more the most similar images count.
    temperature: Annotated[float, Field(ge=0.01, le=10)] = 0.2
    # Share of an image that the task "masked" covers.
    covered: Annotated[float, Field(gt=0, lt=1)] = 0.5
    views: Views = Views()
    batch_size: BatchSize = 128
    warm_up: WarmUp = 1

    @model_validator(mode="after")
    def refuse_weight_of_masked(self) -> Self:
        """Refuse a weight that training would ignore."""
        if self.task == "masked" and self.reconstruction:
            raise ValueError("the task masked is a reconstruction: leave reconstruction out")
        return self

    @field_validator("augmentations")
    @classmethod
    def refuse_augmentations(cls, value: Augmentations) -> Augmentations:
        """Refuse a list that training would ignore."""
        if value:
            raise ValueError("this network draws views of its own: leave the list out, and see views")
        return value


def build(settings: Settings, image_shape: Shape, seed: int) -> Autoencoder:
    """Build the untrained network for images (H, W, C), float32 in [0, 1], with codes (N, code_size).

    Every kernel and matrix is drawn from `seed` and its place in the network alone.
    """
    seeds = itertools.count(seed * 100)
    image, code = keras.Input(image_shape, name="image"), keras.Input((settings.code_size,), name="code")
    # Square roots lift the dark parts of an image.
    maps = keras.ops.sqrt(image)
    for count in settings.filters:
        initializer = keras.initializers.HeUniform(seed=next(seeds))
        convolution = layers.Conv2D(
            count, 3, padding="same", activation="relu", kernel_initializer=initializer
        )
        maps = layers.MaxPooling2D(2, padding="same")(convolution(maps))
    encoded = dense(settings.code_size, seeds)(layers.Flatten()(maps))
    if settings.reconstruction:
        straight = dense(settings.code_size, seeds, use_bias=False)(layers.Flatten()(image))
        encoded = layers.Add()([encoded, straight])
    logits = layers.Reshape(image_shape)(two_paths(code, math.prod(image_shape), settings.width, seeds))
    row = keras.Input((settings.code_size,))
    count = REGIONS * REGIONS * settings.words
    sizes = {"words": count, "prototypes": count + settings.prototypes}
    size, hidden = sizes.get(settings.task, PROJECTION_SIZE), row
    if settings.task not in sizes:
        hidden = dense(PROJECTION_WIDTH, seeds, activation="gelu")(row)
    projection = keras.Model(row, dense(size, seeds)(hidden), name=PROJECTION)
    outputs = [encoded] if settings.task == "masked" else [encoded, projection(encoded)]
    return compose(keras.Model(image, outputs), keras.Model(code, layers.Activation("sigmoid")(logits)))


def task(settings: Settings, autoencoder: Autoencoder, engine: Engine) -> Task:
    """Minimise the loss of the task and the squared error of the decoder; cross-entropy is reported."""
    arithmetic = engine.arithmetic
    encode = engine.build_forward(autoencoder.network.get_layer(ENCODER))
    decode = engine.build_forward(build_decoder_to_logits(autoencoder))
    shape = autoencoder.network.input_shape[1:]
    words = VisualWords(shape, settings.words, engine.build_forward, arithmetic)
    descriptions: dict[str, VisualWords | Prototypes] = {
        "words": words,
        "prototypes": Prototypes(settings.prototypes, words),
    }
    description = descriptions.get(settings.task)

    def run(inputs: Tensors) -> Tensors:
        """Return the logits (N, H, W, C) of the first view, and the projections (N, P) of all views."""
        if settings.task == "masked":
            return [decode(encode(inputs[0]))]
        codes, projections = zip(*(encode(view) for view in inputs), strict=True)
        return [decode(codes[0] if settings.reconstruction else tf.stop_gradient(codes[0])), *projections]

    def compute_task_loss(targets: Tensors, projections: Tensors) -> tf.Tensor:
        """Return the loss of the task for each image, on the scale of a sum over its pixels."""
        if description:
            return arithmetic.squared_error(description.compute_targets(targets[0]), projections[0])
        first, second = projections
        if settings.task == "contrastive":
            return math.prod(shape) * contrast(arithmetic, first, second, settings.temperature)
        return math.prod(shape) * compare_statistics(arithmetic, first, second)

    def objective(targets: Tensors, outputs: Tensors) -> tf.Tensor:
        error = arithmetic.sigmoid_squared_error(targets[0], outputs[0])
        if settings.task == "masked":
            return error
        # Without a weight, the decoder learns alone: from codes without a gradient.
        return compute_task_loss(targets, outputs[1:]) + (settings.reconstruction or 1.0) * error

    def loss(targets: Tensors, outputs: Tensors) -> tf.Tensor:
        return arithmetic.cross_entropy(targets[0], outputs[0])

    draw: Callable[..., tuple[Tensors, Tensors]] = partial(draw_views, settings)
    losses = {"objective": objective, "loss": loss}
    return Task(autoencoder.network, run, losses, draw, arithmetic, description.fit if description else None)


def draw_views(
    settings: Settings, images: Images, draws: np.random.Generator, phase: Phase
) -> tuple[Tensors, Tensors]:
    """Draw the views of images (..., H, W, C) that the task needs; the target is the first, uncovered."""
    clean = mirror(images, draws) if phase.training else images
    target = tf.constant(clean)
    match settings.task:
        case "words" | "prototypes":
            return [target], [target]
        case "masked":
            return [tf.constant(cover(clean, settings.covered, draws))], [target]
    return [target, tf.constant(draw_view(images, settings.views, draws))], [target]
