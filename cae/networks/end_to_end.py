"""One model for everything between a raw picture and its score, for programs that have Keras alone, or ONNX.

Its steps are those that the commands take picture by picture: `sources/greys.py` scales, `sources/sizes.py`
mirrors, `measures/errors.py` smooths and scores. Here they are parts of the model, computed in float32.
"""

import keras
import numpy as np
from keras import ops

from cae.networks.autoencoder import Autoencoder

# Standard deviations after which a Gaussian ends, as in `measures/errors.py`.
REACH = 3.0


def build(
    autoencoder: Autoencoder,
    size: tuple[int, int],
    window: tuple[float, float],
    spot: float | None,
    threshold: float | None,
) -> keras.Model:
    """Put scaling and mirroring before a network, errors and scores behind it; all share its layers.

    Args:
        autoencoder: of images (H, W, C).
        size: height and width of the pictures, at most H and W.
        window: the values that become 0 and 1, the lower one first.
        spot: pixels that the error map is smoothed by; None leaves it as it is.
        threshold: the score above which a picture is an anomaly; with None nothing says so.

    Returns:
        raw pixels (N, height, width, C), any numbers → a dictionary: `reconstruction` float32 (N, height,
        width, C) in [0, 1], `code` float32 (N, D), `error` float32 (N, height, width), `score` float32 (N,),
        NaN where a pixel is, and with a threshold `anomaly` bool (N,).

    Raises:
        ValueError: pictures of this size do not fit into the network.
    """
    height, width, channels = autoencoder.network.input_shape[1:]
    more = (height - size[0], width - size[1])
    if min(more) < 0:
        raise ValueError(f"pictures of {size} do not fit into a network of {(height, width)}")
    pixels = keras.Input((*size, channels), name="pixels")
    image = scaled(pixels, *map(float, window))
    code = autoencoder.encoder(mirrored(mirrored(image, 1, 0, more[0]), 2, 0, more[1]))
    cut = keras.layers.Cropping2D(((0, more[0]), (0, more[1])), name="cut")
    reconstruction = cut(autoencoder.decoder(code))
    errors = ops.mean(ops.square(reconstruction - image), axis=-1, keepdims=True)
    if spot is not None:
        errors = smoothed(smoothed(errors, 1, spot), 2, spot)
    outputs = {
        "reconstruction": reconstruction,
        "code": keras.layers.Flatten(name="code")(code),
        "error": ops.squeeze(errors, axis=-1),
        "score": keep_missing((ops.mean if spot is None else ops.max)(errors, axis=(1, 2, 3)), pixels),
    }
    if threshold is not None:
        # NaN is above nothing. "Not at most" would do, but TensorFlow makes "above" of that.
        above = ops.greater(outputs["score"], float(threshold))
        outputs["anomaly"] = ops.logical_or(above, ops.isnan(outputs["score"]))
    return named(keras.Model(pixels, outputs, name="whole"))


def keep_missing(scores: keras.KerasTensor, pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Make the score of a picture NaN where one of its pixels is: to cut values off would hide it."""
    holes = ops.max(ops.cast(ops.isnan(pixels), "float32"), axis=(1, 2, 3))
    return ops.where(holes > 0, np.float32(np.nan), scores)


def make_metadata(window: tuple[float, float]) -> dict[str, float]:
    """Say of a model which values of raw pixels it takes for black and for white."""
    return {"black": float(window[0]), "white": float(window[1])}


def scaled(pixels: keras.KerasTensor, low: float, high: float) -> keras.KerasTensor:
    """Map grey values to [0, 1]: what lies outside of the window becomes 0 or 1 as well."""
    return ops.clip((pixels - low) / (high - low), 0, 1)


def mirrored(images: keras.KerasTensor, axis: int, before: int, after: int) -> keras.KerasTensor:
    """Add pixels along an axis by mirroring, again and again where they are few; the edge is not repeated.

    Pixels are taken by their places: `keras.ops.pad` mirrors once.
    """
    places = np.pad(np.arange(images.shape[axis]), (before, after), mode="reflect")
    return ops.take(images, places.tolist(), axis=axis) if before or after else images


def smoothed(errors: keras.KerasTensor, axis: int, spot: float) -> keras.KerasTensor:
    """Average error maps (N, H, W, 1) along an axis by a Gaussian of `spot` pixels; they go on mirrored."""
    reach = int(REACH * spot + 0.5)
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / spot))
    kernel = (weights / weights.sum()).astype(np.float32)
    shape = (kernel.size, 1) if axis == 1 else (1, kernel.size)
    convolution = keras.layers.Conv2D(1, shape, use_bias=False, trainable=False, name=f"smoothed_{axis}")
    averages = convolution(mirrored(errors, axis, reach, reach))
    convolution.set_weights([kernel.reshape(*shape, 1, 1)])
    return averages


def named(model: keras.Model) -> keras.Model:
    """Name what is no layer by its place: Keras counts through all that the process made before."""
    for place, operation in enumerate(model.operations):
        if not isinstance(operation, keras.Layer):
            operation.name = f"{place}_{type(operation).__name__.lower()}"
    return model
