"""Features at every place of an image, from the convolutions of an encoder, and a bank of normal ones.

features  outputs of all convolutions, averaged over 3 × 3 places and brought to one grid
whitened  (x − μ) V Λ^(−½), where Σ = V Λ Vᵀ is shrunk as in Ledoit and Wolf (2004)
bank      of normal features: each is the one farthest from those before it (greedy k-centre, as in
          PatchCore, Roth et al. 2022, https://arxiv.org/abs/2106.08265)
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from sklearn.covariance import LedoitWolf

from cae.core.arrays import Images, Rows
from cae.core.blocks import BLOCK
from cae.metrics.principal_components import sample_rows
from cae.networks.autoencoder import predict

# Places of normal images that features are taken from, at most.
CANDIDATES = 50_000
# Rows of a bank, at most and at least.
MOST_ROWS, LEAST_ROWS = 2048, 16
# Features that never differ have a variance of 0, which cannot divide.
LEAST_VARIANCE = 1e-12


def list_convolutions(encoder: keras.Model) -> list[keras.layers.Layer]:
    """Return the convolutions of an encoder, in their order; dense networks have none."""
    return [layer for layer in encoder.layers if isinstance(layer, layers.Conv2D)]


class EncoderOutputs(NamedTuple):
    """What an encoder computes of images."""

    maps: list[keras.KerasTensor]  # the outputs of its convolutions
    code: keras.KerasTensor
    others: list[keras.KerasTensor]


def run_encoder(
    encoder: keras.Model, image: keras.KerasTensor, others: Sequence[keras.KerasTensor] = ()
) -> EncoderOutputs:
    """Run images through an encoder, of which `others` are further outputs."""
    convolutions = list_convolutions(encoder)
    if isinstance(encoder, keras.Sequential):
        maps = []
        for layer in encoder.layers:
            image = layer(image)
            if layer in convolutions:
                maps.append(image)
        return EncoderOutputs(maps, image, [])
    # One model: of two that share layers, Keras would load one without its weights.
    outputs = [encoder.output, *others, *(layer.output for layer in convolutions)]
    code, *found = keras.tree.flatten(keras.Model(encoder.input, outputs, name=encoder.name)(image))
    return EncoderOutputs(found[len(others) :], code, found[: len(others)])


def sample_places(extract: keras.Model, images: Images, seed: int) -> Rows:
    """Return the features (N, F) at places drawn from all images (N, H, W, C), as many of each."""
    height, width, count = extract.output_shape[1:]
    images = sample_rows(images, seed, CANDIDATES)
    places = min(height * width, max(1, CANDIDATES // len(images)))
    generator = np.random.default_rng(seed)
    rows = []
    for start in range(0, len(images), BLOCK):
        features = predict(extract, images[start : start + BLOCK]).reshape(-1, height * width, count)
        chosen = generator.permuted(np.tile(np.arange(height * width), (len(features), 1)), axis=1)
        rows.append(np.take_along_axis(features, chosen[:, :places, np.newaxis], axis=1).reshape(-1, count))
    return np.concatenate(rows)


def join_maps(maps: list[keras.KerasTensor]) -> keras.KerasTensor:
    """Bring feature maps (N, h, w, C) to half the size of the first, and put them side by side."""
    height, width = (max(1, side // 2) for side in maps[0].shape[1:3])
    gathered = []
    for index, features in enumerate(maps):
        averages = layers.AveragePooling2D(3, 1, padding="same", name=f"averaged_{index}")(features)
        gathered.append(layers.Resizing(height, width, name=f"resized_{index}")(averages))
    return layers.Concatenate(name="features")(gathered)


class Whitening:
    """Makes the normal features uncorrelated, with a variance of 1."""

    def __init__(self, rows: Rows) -> None:
        """Fit to normal features (N, D)."""
        model = LedoitWolf().fit(rows.astype(np.float64))
        variances, directions = np.linalg.eigh(model.covariance_)
        self.kernel = (directions / np.sqrt(np.maximum(variances, LEAST_VARIANCE))).astype(np.float32)
        self.bias = -(model.location_ @ self.kernel).astype(np.float32)

    def transform(self, rows: Rows) -> Rows:
        """(N, D) → (N, D)."""
        whitened: Rows = rows @ self.kernel + self.bias
        return whitened


def choose_bank(rows: Rows, count: int) -> Rows:
    """Choose at most `count` of rows (N, D): the next is the one farthest from all before."""
    count = min(count, len(rows))
    squares = np.square(rows).sum(axis=1)
    distances = np.full(len(rows), np.inf, np.float32)
    # The first is the one nearest to the mean, which no order of the rows changes.
    chosen = [int(np.square(rows - rows.mean(axis=0)).sum(axis=1).argmin())]
    while len(chosen) < count:
        last = rows[chosen[-1]]
        distances = np.minimum(distances, squares - 2 * (rows @ last) + squares[chosen[-1]])
        chosen.append(int(distances.argmax()))
    return rows[np.sort(chosen)]
