"""A detector: one Keras model from raw pixels to score and decision, for programs without this library.

The model computes in float32 what the library does step by step: `datasets/intensity.py` scales,
`datasets/resizing.py` pads, `metrics/scores.py` compares with normal images, `metrics/error_maps.py` smooths
and reduces to a score. The command line takes the part that compares out of a saved detector, and does the
other steps by the library, so that it scores images of any size.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from cae.datasets.prepared import to_tuple
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.tiles import Tiling
from cae.networks.autoencoder import load_safely

# The part of a detector that maps tiles to errors.
TILES = "tiles"

# Where the Gaussian is cut off, in standard deviations, as in `metrics/error_maps.py`.
TRUNCATE = 3.0


def build(
    tiles: keras.Model,
    size: tuple[int, int],
    window: tuple[float, float],
    smoothing: float | None,
    threshold: float | None,
) -> keras.Model:
    """Build the model; it shares the layers of `tiles`.

    Args:
        tiles: images (N, H, W, C) in [0, 1] → `reconstruction`, `code` and `error` (N, H, W, 1).
        size: height and width of the raw images, at most H and W.
        window: the pixel values that become 0 and 1, the lower one first.
        smoothing: standard deviation in pixels of the Gaussian that smooths the error map; None for none.
        threshold: images with a score above it are anomalies; None leaves the decision out.

    Returns:
        A model from raw pixels (N, height, width, C) to a dictionary: `reconstruction` float32 (N, height,
        width, C) in [0, 1], `code` float32 (N, D), `error` float32 (N, height, width), smoothed,
        `score` float32 (N,), and with a threshold `anomaly` bool (N,). An image with a pixel that is NaN has
        the score NaN and is an anomaly.

    Raises:
        ValueError: the size is larger than that of the network.
    """
    height, width, channels = tiles.input_shape[1:]
    padding = (height - size[0], width - size[1])
    if min(padding) < 0:
        raise ValueError(f"images of {size} are larger than those of the network, {(height, width)}")
    pixels = keras.Input((*size, channels), name="pixels")
    image = scale(pixels, *map(float, window))
    found = tiles(pad(pad(image, 1, 0, padding[0]), 2, 0, padding[1]))
    crop = keras.layers.Cropping2D(((0, padding[0]), (0, padding[1])), name="cut")
    errors = crop(found["error"])
    if smoothing is not None:
        errors = smooth(smooth(errors, 1, smoothing), 2, smoothing)
    scores = (ops.mean if smoothing is None else ops.max)(errors, axis=(1, 2, 3))
    outputs = {
        "reconstruction": crop(found["reconstruction"]),
        "code": found["code"],
        "error": ops.squeeze(errors, axis=-1),
        "score": set_nan(scores, pixels),
    }
    if threshold is not None:
        # NaN is not above the threshold. "Not at most" would do, but TensorFlow rewrites it to "above".
        above = ops.greater(outputs["score"], float(threshold))
        outputs["anomaly"] = ops.logical_or(above, ops.isnan(outputs["score"]))
    return name_operations(keras.Model(pixels, outputs, name="whole"))


def make_metadata(
    window: tuple[float, float],
    preprocessing: Preprocessing,
    smoothing: float | None,
    threshold: float | None,
    white_error: float,
) -> dict[str, Any]:
    """Return what the file of a detector says about it, for users and for `cae score`.

    Args:
        window: the pixel values that are black and white to the model.
        preprocessing: what the library does to images before the model's tiles.
        smoothing: as in `build`.
        threshold: for the scores of whole images.
        white_error: the root of the error that is drawn white.
    """
    tiling = preprocessing.tiling
    return {
        "black": float(window[0]),
        "white": float(window[1]),
        "preprocessing": preprocessing._asdict() | {"tiling": tiling and asdict(tiling)},
        "smoothing": smoothing,
        "threshold": threshold,
        "white_error": white_error,
    }


def read_metadata(path: Path) -> Mapping[str, Any] | None:
    """Read what a `.keras` file says about a detector; None for any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read("metadata.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return metadata if isinstance(metadata, dict) and "preprocessing" in metadata else None


def read_preprocessing(metadata: Mapping[str, Any]) -> Preprocessing:
    """Return how a detector's images are preprocessed."""
    values = {name: to_tuple(value) for name, value in metadata["preprocessing"].items()}
    return Preprocessing(**values | {"tiling": values["tiling"] and Tiling(**values["tiling"])})


def load(path: Path) -> keras.Model:
    """Load a detector in Keras's safe mode.

    Raises:
        UserError: it is damaged, or has code that safe mode refuses.
    """
    return load_safely(path, "detector", "Make it again: dvc repro --force detect", part=TILES)


def scale(pixels: keras.KerasTensor, low: float, high: float) -> keras.KerasTensor:
    """Map pixel values from [low, high] to [0, 1]; values outside become 0 or 1."""
    return ops.clip((pixels - low) / (high - low), 0, 1)


def pad(images: keras.KerasTensor, axis: int, before: int, after: int) -> keras.KerasTensor:
    """Pad an axis by mirroring, repeatedly if it is short; the edge itself is not repeated.

    Pixels are selected by their indices, because `keras.ops.pad` mirrors only once.
    """
    indices = np.pad(np.arange(images.shape[axis]), (before, after), mode="reflect")
    return ops.take(images, indices.tolist(), axis=axis) if before or after else images


def smooth(errors: keras.KerasTensor, axis: int, sigma: float) -> keras.KerasTensor:
    """Smooth error maps (N, H, W, 1) along an axis with a Gaussian; they are mirrored beyond the edges."""
    radius = int(TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) / sigma))
    kernel = (weights / weights.sum()).astype(np.float32)
    shape = (kernel.size, 1) if axis == 1 else (1, kernel.size)
    convolution = keras.layers.Conv2D(1, shape, use_bias=False, trainable=False, name=f"smoothed_{axis}")
    averages = convolution(pad(errors, axis, radius, radius))
    convolution.set_weights([kernel.reshape(*shape, 1, 1)])
    return averages


def set_nan(scores: keras.KerasTensor, pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Set the score of an image with a NaN pixel to NaN: clipping would hide it."""
    missing = ops.max(ops.cast(ops.isnan(pixels), "float32"), axis=(1, 2, 3))
    return ops.where(missing > 0, np.float32(np.nan), scores)


def name_operations(model: keras.Model) -> keras.Model:
    """Name operations that are no layers by their position: Keras counts through the whole process."""
    for position, operation in enumerate(model.operations):
        if not isinstance(operation, keras.Layer):
            operation.name = f"{position}_{type(operation).__name__.lower()}"
    return model
