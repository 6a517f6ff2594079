"""The CPU-fast twin of a Keras Sequential: the same variables, the same function, faster gradients.

Three rewrites carry the speed; each gives the stock result up to rounding.

(A) Convolution, stride 1.  y[i] = Σ_d x[i + d − p] k[d]
        ∂L/∂x[j] = Σ_d g[j − d + p] k[d]      a forward convolution of g with the flipped kernel
        ∂L/∂k[d] = Σ_i x[i + d − p] g[i]      one matrix product with patches of x, or of g: the thinner side
(B) Nearest upsampling by s, then (A).  Row s·i + r of the output reads the small rows i + ⌊(r + d)/s⌋, so
        y[s·i + r] = Σ_t x[i + t] f_r[t],     f_r[t] = Σ {k[d] : ⌊(r + d)/s⌋ = t}
    a convolution on the small grid with s² times the channels, interleaved: no upsampled tensor.
(C) Max-pooling commutes with what never decreases: max(relu(y + b)) = relu(max(y) + b).
"""

from collections.abc import Callable, Iterator
from functools import partial

import keras
import numpy as np
import tensorflow as tf

Function = Callable[[tf.Tensor], tf.Tensor]
Padding = tuple[tuple[int, int], tuple[int, int]]
"""Zeros put before and after the rows, then before and after the columns."""


class Twin:
    """A Sequential as a fast function of its input.

    Attributes:
        variables: the trainable variables of the model, in its order.
        gives_logits: whether the model ends in a sigmoid, which the twin leaves out.
    """

    def __init__(self, model: keras.Sequential) -> None:
        layers = list(model.layers)
        self.variables: list[keras.Variable] = list(model.trainable_variables)
        self.gives_logits = (
            isinstance(layers[-1], keras.layers.Conv2D | keras.layers.Dense | keras.layers.Activation)
            and layers[-1].activation is keras.activations.sigmoid
        )
        self._functions = list(_functions(layers, self.gives_logits))

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Run the model in training mode.

        Args:
            images: float32 (N, ...), the model's input.

        Returns:
            float32 (N, ...): the logits where ``gives_logits``, otherwise the model's output.
        """
        for function in self._functions:
            images = function(images)
        return images


def _functions(layers: list[keras.Layer], gives_logits: bool) -> Iterator[Function]:
    """Make one function of [upsampling] convolution [pooling]; any other layer stays as it is."""
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    while layers:
        layer, *layers = layers
        scale = 1
        if not on_gpu and layers and _repeats_pixels(layer) and _is_plain_convolution(layers[0]):
            scale, (layer, *layers) = layer.size[0], layers
        activation = keras.activations.linear if gives_logits and not layers else getattr(layer, "activation", None)
        if not on_gpu and _is_plain_convolution(layer):
            pool = None
            if layers and _is_pooling(layers[0]) and activation in (keras.activations.relu, keras.activations.linear):
                pool, *layers = layers
            yield partial(_convolution, layer, activation, scale, pool)
        elif gives_logits and not layers:
            yield partial(_without_activation, layer)
        else:
            yield partial(layer, training=True)


def _is_plain_convolution(layer: keras.Layer) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
    )


def _repeats_pixels(layer: keras.Layer) -> bool:
    return (
        type(layer) is keras.layers.UpSampling2D
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
        and layer.size[0] == layer.size[1]
    )


def _is_pooling(layer: keras.Layer) -> bool:
    return type(layer) is keras.layers.MaxPooling2D and layer.data_format == "channels_last"


def _without_activation(layer: keras.Layer, x: tf.Tensor) -> tf.Tensor:
    """Run the last layer up to its activation."""
    if isinstance(layer, keras.layers.Conv2D):
        x = layer.convolution_op(x, layer.kernel)
    elif isinstance(layer, keras.layers.Dense):
        x = keras.ops.matmul(x, layer.kernel)
    return x + layer.bias if getattr(layer, "use_bias", False) else x


def _convolution(
    layer: keras.layers.Conv2D, activation: Function, scale: int, pool: keras.layers.MaxPooling2D | None, x: tf.Tensor
) -> tf.Tensor:
    kernel = tf.convert_to_tensor(layer.kernel)
    margins = [(size - 1) if layer.padding == "same" else 0 for size in layer.kernel_size]
    padding = tuple((margin // 2, margin - margin // 2) for margin in margins)
    bias = tf.convert_to_tensor(layer.bias) if layer.use_bias else tf.zeros(layer.filters)
    y = convolve_upsampled(x, kernel, scale, padding) 
    if pool is not None:
        y = tf.nn.max_pool(y, pool.pool_size, pool.strides, pool.padding.upper())
    return activation(tf.nn.bias_add(y, bias))


def convolve(x: tf.Tensor, kernel: tf.Tensor, padding: Padding) -> tf.Tensor:
    """Convolve at stride 1, with the gradients of (A).

    Args:
        x: float32 (N, H, W, C).
        kernel: float32 (h, w, C, D).
        padding: zeros around x, each less than the kernel's side.

    Returns:
        float32 (N, H', W', D).
    """
    height, width = kernel.shape[:2]
    mirrored = tuple((size - 1 - a, size - 1 - b) for size, (a, b) in zip((height, width), padding, strict=True))

    @tf.custom_gradient
    def differentiable(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tuple[tf.Tensor, tf.Tensor]]]:
        def gradient(g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            flipped = tf.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
            if kernel.shape[2] <= kernel.shape[3]:
                by_patch = tf.matmul(_rows(_patches(x, height, width, padding)), _rows(g), transpose_a=True)
                kernel_gradient = tf.reshape(by_patch, kernel.shape)
            else:
                by_patch = tf.matmul(_rows(_patches(g, height, width, mirrored)), _rows(x), transpose_a=True)
                by_offset = tf.reshape(by_patch, (height, width, kernel.shape[3], kernel.shape[2]))
                kernel_gradient = tf.transpose(by_offset[::-1, ::-1], (0, 1, 3, 2))
            return _correlate(g, flipped, mirrored), kernel_gradient

        return _correlate(x, kernel, padding), gradient

    return differentiable(x, kernel)


def convolve_upsampled(x: tf.Tensor, kernel: tf.Tensor, scale: int, padding: Padding) -> tf.Tensor:
    """Upsample by repeating each pixel ``scale`` times along both sides, then convolve: (B).

    Args:
        x: float32 (N, H, W, C).
        kernel: float32 (h, w, C, D).
        scale: at least 1.
        padding: zeros around the upsampled x.

    Returns:
        float32 (N, scale·H + padding − h + 1, scale·W + padding − w + 1, D).
    """
    if scale == 1:
        return convolve(x, kernel, padding)
    rows, columns = (_fold(size, scale) for size in kernel.shape[:2])
    taps, filters = (rows.shape[1], columns.shape[1]), kernel.shape[3]
    folded = tf.einsum("rth,suw,hwcd->tucrsd", rows, columns, kernel)
    folded = tf.reshape(folded, (*taps, kernel.shape[2], scale * scale * filters))
    # Whole small pixels are padded; what that adds beyond the padding asked for is cut off the result.
    around = tuple((-(-before // scale), -(-after // scale)) for before, after in padding)
    wide = tf.nn.depth_to_space(convolve(x, folded, around), scale)
    (top, left) = (scale * a - before for (a, _), (before, _) in zip(around, padding, strict=True))
    height, width = (
        scale * size + before + after - extent + 1
        for size, (before, after), extent in zip(x.shape[1:3], padding, kernel.shape[:2], strict=True)
    )
    return wide[:, top : top + height, left : left + width]


def _fold(size: int, scale: int) -> np.ndarray:
    """Say which kernel offsets d fall on which small offset t: 1 at [r, t, d] where ⌊(r + d)/scale⌋ = t."""
    phase, offset = np.arange(scale)[:, None, None], np.arange(size)
    taps = np.arange((scale + size - 2) // scale + 1)[:, None]
    return ((phase + offset) // scale == taps).astype("float32")


def _patches(x: tf.Tensor, height: int, width: int, padding: Padding) -> tf.Tensor:
    """Lay the height × width neighbourhood of every position side by side: (N, H', W', height·width·C)."""
    channels = x.shape[3]
    size = height * width * channels
    if size <= 64:
        # Few channels are gathered by a one-hot convolution: copies of so few floats would cost more.
        return _correlate(x, tf.reshape(tf.eye(size), (height, width, channels, size)), padding)
    padded = tf.pad(x, ((0, 0), *padding, (0, 0)))
    rows, columns = padded.shape[1] - height + 1, padded.shape[2] - width + 1
    return tf.concat([padded[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)], axis=3)


def _correlate(x: tf.Tensor, kernel: tf.Tensor, padding: Padding) -> tf.Tensor:
    return tf.nn.conv2d(x, kernel, strides=1, padding=((0, 0), *padding, (0, 0)))


def _rows(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, (-1, x.shape[-1]))


