"""Anomaly scores, fitted to normal images alone, as Keras models from tiles to error maps.

    reconstruction  squared error of every pixel
    nearest         mean distance of the code to the nearest codes of training images
    mahalanobis     squared Mahalanobis distance of the code, Σ shrunk as in Ledoit and Wolf (2004)
    sum             softplus of the mean of three standardised logarithms: both distances between codes, and
                    the distance to the nearest training images, in half their size
    local           distance of the features at every place to the nearest of a bank, see `local_features`
    segmentation    probability that a pixel is a part of a defect, by the network discriminative, which
                    learns from drawn defects

A distance between codes is the same for all pixels of a tile. Codes are compared by their roots: without them
a few large values of ReLU units would decide every distance.

What was fitted are weights of the model, so a saved model needs no other file. The stage detect, the command
line and exported models run the same model.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from cae.core import words
from cae.core.arrays import Images, Rows
from cae.core.errors import UserError
from cae.metrics import local_features
from cae.metrics.error_maps import ErrorMaps
from cae.metrics.local_features import Whitening
from cae.metrics.principal_components import sample_rows
from cae.metrics.score_settings import ScoreName, ScoreSettings
from cae.networks.autoencoder import Autoencoder, predict
from cae.networks.discriminative import get_defect_model
from cae.networks.end_to_end import TILES, name_operations

# Training images whose codes and features are fitted to, at most.
MOST_IMAGES = 10_000
# A standard deviation and a covariance need two images.
LEAST_IMAGES = 2
# A distance of 0, that of an exact copy, has no logarithm.
SMALLEST = 1e-12
# The layer that compares features with a bank.
BANK = "bank"
# Numbers in this layer, for all tiles that are computed at once: a quarter of a gigabyte.
MOST_BANK_NUMBERS = 2**26


class NormalTiles(NamedTuple):
    """Normal tiles (N, h, w, C) in [0, 1]."""

    # What the network was trained on.
    train: Images
    # Other ones, which standardise the parts of the sum, and say how bright error maps are drawn.
    held_out: Images


class ScoreInputs(NamedTuple):
    """What a score is computed from."""

    image: keras.KerasTensor  # (N, h, w, C)
    code: keras.KerasTensor  # (N, D)
    features: keras.KerasTensor | None  # (N, h', w', F); None for a network without convolutions
    reconstruction: keras.KerasTensor  # (N, h, w, C)
    defects: keras.KerasTensor | None  # (N, h, w, 1), logits; None for a network without this output


@dataclass(frozen=True)
class Score:
    """A score, fitted or loaded."""

    # Tiles (N, h, w, C) → a dictionary: `code` (N, D), `reconstruction` (N, h, w, C), `error` (N, h, w, 1).
    model: keras.Model
    # The root of the error that is drawn white.
    white: float

    def compute_errors(self, tiles: Images) -> ErrorMaps:
        """Compute error maps, (N, h, w, C) → (N, h, w) ≥ 0, in blocks of bounded memory."""
        blocks = [tiles[start : start + self.block_size] for start in range(0, len(tiles), self.block_size)]
        errors: ErrorMaps = np.concatenate([predict(self.errors, block)[..., 0] for block in blocks])
        return errors

    @cached_property
    def errors(self) -> keras.Model:
        """The part of the model that computes error maps."""
        return keras.Model(self.model.input, self.model.output["error"])

    @cached_property
    def block_size(self) -> int:
        """How many tiles are computed at once: products with a bank have a number for each place and row."""
        sizes = [math.prod(layer.output.shape[1:]) for layer in self.errors.layers if layer.name == BANK]
        return max(1, MOST_BANK_NUMBERS // max([1, *sizes]))


Build = Callable[[ScoreInputs, NormalTiles, ScoreSettings], keras.KerasTensor]
"""Fits a score to normal images, and returns its error maps (N, h, w, 1)."""


def fit(settings: ScoreSettings, autoencoder: Autoencoder, normal: NormalTiles) -> Score:
    """Fit the score that is chosen to normal images.

    Raises:
        UserError: as `check`.
    """
    check(settings, autoencoder, len(normal.train), len(normal.held_out))
    if settings.score == "reconstruction":
        return build_reconstruction_score(autoencoder)
    inputs = build_inputs(autoencoder)
    model = build_model(inputs, SCORES[settings.score](inputs, normal, settings))
    if settings.score == "segmentation":
        return Score(model, 1.0)
    errors = Score(model, 1.0).compute_errors(sample_rows(normal.held_out, settings.seed, MOST_IMAGES))
    return Score(model, 2 * float(np.sqrt(errors.max())) or 1.0)


def build_reconstruction_score(autoencoder: Autoencoder) -> Score:
    """Compute the squared error of every pixel, the mean over channels; nothing is fitted."""
    inputs = build_inputs(autoencoder)
    squared = ops.square(inputs.reconstruction - inputs.image)
    return Score(build_model(inputs, ops.mean(squared, axis=-1, keepdims=True)), 1.0)


def build_model(inputs: ScoreInputs, errors: keras.KerasTensor) -> keras.Model:
    """Build the model of a score."""
    outputs = {"code": inputs.code, "reconstruction": inputs.reconstruction, "error": errors}
    return name_operations(keras.Model(inputs.image, outputs, name=TILES))


def build_inputs(autoencoder: Autoencoder) -> ScoreInputs:
    """Take the layers of a network apart, as far as scores need it."""
    image = keras.Input(autoencoder.network.input_shape[1:], name="image")
    finder = get_defect_model(autoencoder)
    maps, code, defects = local_features.run_encoder(
        autoencoder.encoder, image, [] if finder is None else finder.outputs
    )
    return ScoreInputs(
        image,
        layers.Flatten(name="code")(code),
        local_features.join_maps(maps) if maps else None,
        autoencoder.decoder(code),
        defects[0] if defects else None,
    )


def build_nearest(inputs: ScoreInputs, normal: NormalTiles, settings: ScoreSettings) -> keras.KerasTensor:
    """Compare codes with those of training images."""
    return repeat_over_pixels(add_nearest(take_roots(inputs.code), "codes", inputs, normal, settings), inputs)


def build_mahalanobis(inputs: ScoreInputs, normal: NormalTiles, settings: ScoreSettings) -> keras.KerasTensor:
    """Compare codes with the distribution of those of training images."""
    return repeat_over_pixels(add_mahalanobis(take_roots(inputs.code), inputs, normal, settings), inputs)


def build_sum(inputs: ScoreInputs, normal: NormalTiles, settings: ScoreSettings) -> keras.KerasTensor:
    """Add up standardised logarithms of three distances."""
    half = layers.Flatten(name="half")(layers.AveragePooling2D(2, name="halved")(inputs.image))
    third = settings.model_copy(update={"megabytes": settings.megabytes / 3})
    distances = [
        add_nearest(take_roots(inputs.code), "codes", inputs, normal, third),
        add_mahalanobis(take_roots(inputs.code), inputs, normal, third),
        add_nearest(half, "images", inputs, normal, third),
    ]
    logarithms = ops.log(ops.maximum(ops.concatenate(distances, axis=-1), SMALLEST))
    fitted = predict(keras.Model(inputs.image, logarithms), normal.held_out).astype(np.float64)
    # Equal scores have a deviation of 0, which cannot divide.
    scale = 1 / np.where(fitted.std(axis=0) > 0, fitted.std(axis=0), 1)
    standardised = layers.Rescaling(
        scale.tolist(), (-fitted.mean(axis=0) * scale).tolist(), name="standardised"
    )
    return repeat_over_pixels(
        ops.softplus(ops.mean(standardised(logarithms), axis=-1, keepdims=True)), inputs
    )


def build_local(inputs: ScoreInputs, normal: NormalTiles, settings: ScoreSettings) -> keras.KerasTensor:
    """Compare the features at every place with a bank of normal ones."""
    assert inputs.features is not None
    extract = keras.Model(inputs.image, inputs.features)
    rows = local_features.sample_places(extract, normal.train, settings.seed)
    whitening = Whitening(rows)
    count = settings.count_rows(rows.shape[1])
    bank = local_features.choose_bank(whitening.transform(rows), min(count, local_features.MOST_ROWS))
    whitened = layers.Conv2D(rows.shape[1], 1, trainable=False, name="whitened")
    places = whitened(inputs.features)
    whitened.set_weights([whitening.kernel[np.newaxis, np.newaxis], whitening.bias])
    products = layers.Conv2D(len(bank), 1, trainable=False, name=BANK)
    squared = ops.min(products(places), axis=-1, keepdims=True)
    products.set_weights([-2 * bank.T[np.newaxis, np.newaxis], np.square(bank).sum(axis=1)])
    squared = ops.relu(squared + ops.sum(ops.square(places), axis=-1, keepdims=True))
    return layers.Resizing(*inputs.image.shape[1:3], name="errors")(ops.sqrt(squared))


def build_segmentation(
    inputs: ScoreInputs, normal: NormalTiles, settings: ScoreSettings
) -> keras.KerasTensor:
    """Return the probability of a defect; nothing is fitted."""
    return ops.sigmoid(inputs.defects)


# All but the reconstruction error, which needs no normal images.
SCORES: Mapping[ScoreName, Build] = {
    "nearest": build_nearest,
    "mahalanobis": build_mahalanobis,
    "sum": build_sum,
    "local": build_local,
    "segmentation": build_segmentation,
}


def take_roots(codes: keras.KerasTensor) -> keras.KerasTensor:
    """Take the root of the size of every number and keep its sign: dense codes have negative ones."""
    return ops.sign(codes) * ops.sqrt(ops.abs(codes))


def add_nearest(
    rows: keras.KerasTensor, name: str, inputs: ScoreInputs, normal: NormalTiles, settings: ScoreSettings
) -> keras.KerasTensor:
    """Average the distances of rows (N, D) to the nearest of a bank: → (N, 1).

    ‖x − b‖² is computed as ‖x‖² − 2 x·b + ‖b‖², after subtraction of the mean, which keeps the terms small.
    """
    kept = sample_rows(normal.train, settings.seed, settings.count_rows(rows.shape[1]))
    bank: Rows = predict(keras.Model(inputs.image, rows), kept)
    centre = bank.mean(axis=0)
    rows, bank = rows - centre, bank - centre
    products = layers.Dense(len(bank), trainable=False, name=f"bank_of_{name}")
    squared = products(rows)
    products.set_weights([-2 * bank.T, np.square(bank).sum(axis=1)])
    squared = ops.relu(squared + ops.sum(ops.square(rows), axis=-1, keepdims=True))
    nearest, _ = ops.top_k(-ops.sqrt(squared), settings.neighbours)
    return -ops.mean(nearest, axis=-1, keepdims=True)


def add_mahalanobis(
    rows: keras.KerasTensor, inputs: ScoreInputs, normal: NormalTiles, settings: ScoreSettings
) -> keras.KerasTensor:
    """Compute the squared distances of rows (N, D): → (N, 1)."""
    kept = sample_rows(normal.train, settings.seed, MOST_IMAGES)
    whitening = Whitening(predict(keras.Model(inputs.image, rows), kept))
    whitened = layers.Dense(rows.shape[1], trainable=False, name="whitened_code")
    distances = ops.sum(ops.square(whitened(rows)), axis=-1, keepdims=True)
    whitened.set_weights([whitening.kernel, whitening.bias])
    return distances


def repeat_over_pixels(scores: keras.KerasTensor, inputs: ScoreInputs) -> keras.KerasTensor:
    """Give every pixel the score of its tile: (N, 1) → (N, h, w, 1)."""
    return layers.UpSampling2D(inputs.image.shape[1:3], name="errors")(ops.reshape(scores, (-1, 1, 1, 1)))


def check(settings: ScoreSettings, autoencoder: Autoencoder, train: int, held_out: int) -> None:
    """Check that the score that is chosen can be fitted, before anything is trained or fitted.

    Args:
        settings: of the score.
        autoencoder: the network, trained or not.
        train: the number of training tiles.
        held_out: the number of validation tiles.

    Raises:
        UserError: the network has no such layers, there are too few tiles, or the memory is too small.
    """
    name, neighbours = settings.score, settings.neighbours
    if name in ("nearest", "sum") and train < neighbours:
        raise UserError(
            f"anomaly.score {name} compares codes with the nearest {neighbours} "
            f"(anomaly.neighbours), but {words.pluralize(train, 'tile')} of normal images are for training: "
            f"add images, or lower it to at most {train}"
        )
    if name in ("mahalanobis", "sum") and train < LEAST_IMAGES:
        raise UserError(
            f"anomaly.score {name} needs at least {LEAST_IMAGES} normal tiles for training, but there is "
            f"{train}: add images, or choose anomaly.score reconstruction"
        )
    if name == "sum" and held_out < LEAST_IMAGES:
        raise UserError(
            f"anomaly.score sum is standardised on at least {LEAST_IMAGES} normal validation tiles, but "
            f"there is {held_out}: add images, raise split.validation, or choose anomaly.score nearest"
        )
    convolutions = local_features.list_convolutions(autoencoder.encoder)
    if name == "local" and not convolutions:
        raise UserError(
            "anomaly.score local compares the outputs of convolutions, but the encoder has none: choose "
            "model.name convolutional, or anomaly.score nearest, mahalanobis, sum or reconstruction"
        )
    if name == "segmentation" and get_defect_model(autoencoder) is None:
        raise UserError(
            "anomaly.score segmentation needs a network that has learned from drawn defects: choose "
            "model.name discriminative, or another score"
        )
    check_memory(settings, autoencoder)


def check_memory(settings: ScoreSettings, autoencoder: Autoencoder) -> None:
    """Raise UserError if what is fitted at least does not fit into `megabytes`."""
    code = autoencoder.code_size
    half = int(np.prod(autoencoder.network.input_shape[1:])) // 4
    features = sum(layer.filters for layer in local_features.list_convolutions(autoencoder.encoder))
    rows = settings.neighbours
    needed = {
        "nearest": rows * code,
        "mahalanobis": code * code,
        "sum": 3 * max(rows * code, code * code, rows * half),
        "local": features * (features + local_features.LEAST_ROWS),
    }.get(settings.score, 0)
    megabytes = 4 * needed / 1e6
    if megabytes > settings.megabytes:
        raise UserError(
            f"anomaly.score {settings.score} needs at least {megabytes:.3g} megabytes for a code of {code} "
            f"numbers, but anomaly.megabytes is {settings.megabytes:g}: raise it, cut images into tiles "
            "(data.tiles), or choose another score"
        )
