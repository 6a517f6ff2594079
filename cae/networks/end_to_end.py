"""One Keras model from raw pixels to the anomaly score and decision, for programs without this library.

The model computes in float32 what the library does step by step: `datasets/intensity.py` scales,
`datasets/resizing.py` pads, `metrics/error_maps.py` smooths and scores.
"""

import keras
import numpy as np
from keras import ops

from cae.networks.autoencoder import Autoencoder

# Where the Gaussian is cut off, in standard deviations, as in `metrics/error_maps.py`.
TRUNCATE = 3.0


def build(
    autoencoder: Autoencoder,
    size: tuple[int, int],
    window: tuple[float, float],
    smoothing: float | None,
    threshold: float | None,
) -> keras.Model:
    """Build the model; it shares the layers of the network.

    Args:
        autoencoder: for images (H, W, C).
        size: height and width of the raw images, at most H and W.
        window: the pixel values that become 0 and 1, the lower one first.
        smoothing: standard deviation in pixels of the Gaussian that smooths the error map; None for none.
        threshold: images with a score above it are anomalies; None leaves the decision out.

    Returns:
        A model from raw pixels (N, height, width, C) to a dictionary: `reconstruction` float32 (N, height,
        width, C) in [0, 1], `code` float32 (N, D), `error` float32 (N, height, width), the squared error,
        `score` float32 (N,), and with a threshold `anomaly` bool (N,). An image with a pixel that is NaN has
        the score NaN and is an anomaly.

    Raises:
        ValueError: the size is larger than that of the network.
    """
    height, width, channels = autoencoder.network.input_shape[1:]
    padding = (height - size[0], width - size[1])
    if min(padding) < 0:
        raise ValueError(f"images of {size} are larger than those of the network, {(height, width)}")
    pixels = keras.Input((*size, channels), name="pixels")
    image = scale(pixels, *map(float, window))
    code = autoencoder.encoder(pad(pad(image, 1, 0, padding[0]), 2, 0, padding[1]))
    crop = keras.layers.Cropping2D(((0, padding[0]), (0, padding[1])), name="cut")
    reconstruction = crop(autoencoder.decoder(code))
    errors = ops.mean(ops.square(reconstruction - image), axis=-1, keepdims=True)
    if smoothing is not None:
        errors = smooth(smooth(errors, 1, smoothing), 2, smoothing)
    scores = (ops.mean if smoothing is None else ops.max)(errors, axis=(1, 2, 3))
    outputs = {
        "reconstruction": reconstruction,
        "code": keras.layers.Flatten(name="code")(code),
        "error": ops.squeeze(errors, axis=-1),
        "score": set_nan(scores, pixels),
    }
    if threshold is not None:
        # NaN is not above the threshold. "Not at most" would do, but TensorFlow rewrites it to "above".
        above = ops.greater(outputs["score"], float(threshold))
        outputs["anomaly"] = ops.logical_or(above, ops.isnan(outputs["score"]))
    return name_operations(keras.Model(pixels, outputs, name="whole"))


def make_metadata(window: tuple[float, float]) -> dict[str, float]:
    """Return what the file of a model says about it: the pixel values that are black and white."""
    return {"black": float(window[0]), "white": float(window[1])}


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
