"""Tiny fixed inputs that several cases share; none of them depends on the code whose behaviour is named."""

from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from keras import layers

from cae.core.arrays import Images, Labels
from cae.networks import autoencoder
from cae.networks.autoencoder import Autoencoder

CLASS_NAMES = ("T-shirt", "Trouser", "Bag")


def images(count: int, height: int, width: int, channels: int = 1, seed: int = 1) -> Images:
    """Draw images (N, H, W, C) of a slope, a bright square and noise; some pixels are 0 and some are 1."""
    draws = np.random.default_rng(seed)
    rows, columns = np.indices((height, width))
    slopes = draws.uniform(-1, 1, (2, count, 1, 1))
    drawn = 0.5 + slopes[0] * rows / height + slopes[1] * columns / width
    for image, top, left in zip(drawn, draws.integers(0, height, count), draws.integers(0, width, count)):
        image[top : top + height // 2, left : left + width // 2] += 0.6
    noise = draws.normal(0, 0.1, (count, height, width, channels))
    return np.clip(drawn[..., np.newaxis] + noise, 0, 1).astype(np.float32)


class Pair(NamedTuple):
    """Images and what stands for their reconstructions, both (N, H, W, 1)."""

    images: Images
    reconstructions: Images


def pair(count: int, height: int, width: int) -> Pair:
    """Draw a pair; the first reconstruction is perfect, and the second is white where its image is black."""
    originals = images(count, height, width)
    worse = originals + np.random.default_rng(2).normal(0, 0.2, originals.shape)
    reconstructions = np.clip(worse, 0, 1).astype(np.float32)
    reconstructions[0], reconstructions[1] = originals[0], 1 - originals[1].round()
    return Pair(originals, reconstructions)


def labels(count: int) -> Labels:
    """Label images by three classes, more of the first."""
    return np.array([0, 1, 0, 2, 1, 0], np.uint8)[np.arange(count) % 6]


def rows(count: int, size: int, seed: int = 3) -> npt.NDArray[np.float32]:
    """Draw rows (N, D) in three clusters, those of `labels`, that overlap."""
    draws = np.random.default_rng(seed)
    centres = draws.normal(0, 1, (3, size))
    return (centres[labels(count)] + draws.normal(0, 1.5, (count, size))).astype(np.float32)


def history() -> pd.DataFrame:
    """Return losses by epoch, as training records them; the fifth epoch is the best."""
    epochs = np.arange(1, 8)
    losses = 0.6 + 0.2 / epochs
    return pd.DataFrame(
        {
            "epoch": epochs,
            "loss": losses,
            "val_loss": losses + 0.01 * (epochs - 5) ** 2,
            "learning_rate": 0.002 / epochs,
        }
    )


def network(height: int, width: int, channels: int = 1) -> Autoencoder:
    """Build an autoencoder of images (H, W, C), both sides even, whose codes have H/2 · W/2 · 2 numbers."""
    encoder = keras.Sequential(
        [
            keras.Input((height, width, channels)),
            layers.Conv2D(2, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((height // 2, width // 2, 2)),
            layers.UpSampling2D(2),
            layers.Conv2D(channels, 3, padding="same", activation="sigmoid"),
        ]
    )
    built = autoencoder.chain(encoder, decoder)
    draw_weights(built.network)
    return built


def draw_weights(model: keras.Model) -> None:
    """Set all weights to numbers that no initialiser has chosen."""
    draws = np.random.default_rng(4)
    model.set_weights([draws.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
