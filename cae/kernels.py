"""The CPU-fast twin of a Keras Sequential: the same variables, the same function, faster gradients.

Each rewrite gives the stock result up to rounding. x is the input, k the kernel, p the zeros put before x.

(A) Convolution, stride 1.  y[i] = Σ_d x[i + d − p] k[d]
        ∂L/∂x[j] = Σ_d g[j − d + p] k[d]      a forward convolution of g with the mirrored kernel
        ∂L/∂k[d] = Σ_i x[i + d − p] g[i]      one matrix product with the patches of a thin x, or of a thin g,
                                              otherwise one for each d: x shifted is a view, nothing is copied
(B) Upsampling by s, then (A).  With ⌊·⌋ for the small pixel that an upsampled one repeats,
        y[i] = Σ_d x[⌊(i + d − p)/s⌋] k[d]
    B1  many filters: i = s·m + r, and the kernel summed by phase r gives a convolution on the small grid
        with s² times the filters, interleaved afterwards.
    B2  few filters: with K = k summed over windows of s, a transposed convolution of stride s; patches of g
        at stride s give both gradients, one matrix product each.
(C) ReLU and max-pooling.  The gradient is masked on the small side, where max(relu(y)) > 0, then pooled back.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf

Padding = Sequence[tuple[int, int]]
"""Zeros before and after the rows, before and after the columns."""
Gradients = Callable[..., tuple[tf.Tensor, ...]]

# Measured on two cores: up to so many numbers a patch is gathered by a one-hot convolution, ...
THIN = 36
# ... and from so many channels × filters on, one matrix product an offset beats the stock operation.
MANY = 256


@dataclass(frozen=True)
class Block:
    """Some layers of the model as one function.

    Attributes:
        prepare: gives the weights as the function wants them; once a step, not once a shard.
        apply: (inputs, weights) -> outputs, both float32 (N, ...).
    """

    prepare: Callable[[], list[tf.Tensor]]
    apply: Callable[[tf.Tensor, list[tf.Tensor]], tf.Tensor]


class Twin:
    """A built Sequential as a fast function over the model's own variables.

    On a machine with a GPU, and for layers it does not know, the layers run as they are.

    Attributes:
        variables: the trainable variables of the model, in its order.
        gives_logits: whether the model ends in a sigmoid, which the twin leaves out.

    Raises:
        ValueError: a layer has a regularizer.
    """

    def __init__(self, model: keras.Sequential) -> None:
        if model.losses:
            raise ValueError("A twin has no regularizers: take them off the model's layers.")
        last = model.layers[-1]
        self.variables: list[keras.Variable] = list(model.trainable_variables)
        self.gives_logits = (
            isinstance(last, keras.layers.Conv2D | keras.layers.Dense | keras.layers.Activation)
            and last.activation is keras.activations.sigmoid
        )
        self._blocks = list(_blocks(list(model.layers), self.gives_logits))

    def prepare(self) -> list[list[tf.Tensor]]:
        """Return the weights for ``__call__``, made from the variables as they are now."""
        return [block.prepare() for block in self._blocks]

    def __call__(self, images: tf.Tensor, weights: list[list[tf.Tensor]] | None = None) -> tf.Tensor:
        """Run the model in training mode.

        Args:
            images: float32 (N, ...), the model's input.
            weights: from ``prepare``.

        Returns:
            float32 (N, ...): the logits where ``gives_logits``, otherwise the model's output.
        """
        for block, own in zip(self._blocks, self.prepare() if weights is None else weights, strict=True):
            images = block.apply(images, own)
        return images


def _blocks(layers: list[keras.Layer], gives_logits: bool) -> Iterator[Block]:
    """Make one block of [upsampling] convolution [pooling]; any other layer is a block as it is."""
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    while layers:
        layer, *layers = layers
        scale, pool = 1, None
        if not on_gpu and layers and _repeats_pixels(layer) and _is_plain_convolution(layers[0]):
            scale, (layer, *layers) = layer.size[0], layers
        activation = getattr(layer, "activation", keras.activations.linear)
        if gives_logits and not layers:
            activation = keras.activations.linear
        if not on_gpu and _is_plain_convolution(layer):
            fused = activation in (keras.activations.relu, keras.activations.linear)
            if layers and scale == 1 and fused and _is_pooling(layers[0]):
                pool, *layers = layers
            yield _convolution_block(layer, scale, activation, pool)
        elif gives_logits and not layers:
            yield Block(partial(_values, layer), partial(_without_activation, layer))
        else:
            yield Block(partial(_values, layer), partial(_as_it_is, layer))


def _values(layer: keras.Layer) -> list[tf.Variable]:
    return [variable.value for variable in layer.trainable_variables]


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


def _as_it_is(layer: keras.Layer, x: tf.Tensor, _: list[tf.Tensor]) -> tf.Tensor:
    return layer(x, training=True)


def _without_activation(layer: keras.Layer, x: tf.Tensor, _: list[tf.Tensor]) -> tf.Tensor:
    """Run the model's last layer up to its activation."""
    if isinstance(layer, keras.layers.Conv2D):
        x = layer.convolution_op(x, layer.kernel)
    elif isinstance(layer, keras.layers.Dense):
        x = keras.ops.matmul(x, layer.kernel)
    return x + layer.bias if getattr(layer, "use_bias", False) else x


def _convolution_block(
    layer: keras.layers.Conv2D,
    scale: int,
    activation: Callable[[tf.Tensor], tf.Tensor],
    pool: keras.Layer | None,
) -> Block:
    """Choose the form for a convolution of an image upsampled by ``scale``."""
    height, width, channels, filters = layer.kernel.shape
    same = layer.padding == "same"
    padding = tuple(((size - 1) // 2, size // 2) if same else (0, 0) for size in (height, width))
    relu = activation is keras.activations.relu
    late = (lambda y: y) if relu or activation is keras.activations.linear else activation
    thin = (height + scale - 1) * (width + scale - 1) * filters <= THIN and filters < channels

    def prepare() -> list[tf.Tensor]:
        kernel = tf.convert_to_tensor(layer.kernel)
        bias = tf.convert_to_tensor(layer.bias) if layer.use_bias else tf.zeros(filters)
        if thin and pool is None:
            return [_widened(kernel, scale), bias]
        return [kernel, bias] if scale == 1 else [_by_phase(kernel, scale), tf.tile(bias, [scale * scale])]

    def apply(x: tf.Tensor, weights: list[tf.Tensor]) -> tf.Tensor:
        kernel, bias = weights
        if thin and pool is None:
            y = tf.nn.bias_add(_transposed(x, kernel, scale, padding), bias)
            return late(tf.nn.relu(y) if relu else y)
        if scale == 1:
            return late(_convolution(x, kernel, bias, padding, relu, pool))
        # Whole small pixels are padded; what that adds beyond the padding asked for is cut off again.
        around, cut, sides = [], [], []
        for small, size, taps, (before, after) in zip(
            x.shape[1:3], (height, width), kernel.shape[:2], padding, strict=True
        ):
            whole = -(-before // scale)
            cut.append(scale * whole - before)
            sides.append(scale * small + before + after - size + 1)
            around.append((whole, max(0, -(-(cut[-1] + sides[-1]) // scale) - small - whole + taps - 1)))
        y = tf.nn.depth_to_space(_convolution(x, kernel, bias, tuple(around), relu, None), scale)
        return late(tf.slice(y, [0, *cut, 0], [-1, *sides, filters]))

    return Block(prepare, apply)


def _by_phase(kernel: tf.Tensor, scale: int) -> tf.Tensor:
    """Sum the kernel by phase, B1: (h, w, C, D) -> (t, u, C, s·s·D), k[d] of phase r in tap ⌊(r + d)/s⌋."""
    rows, columns = (_taps(size, scale) for size in kernel.shape[:2])
    height, width, channels, filters = kernel.shape
    taps = np.einsum("rth,suw->turshw", rows, columns).reshape(-1, height * width)
    folded = tf.matmul(taps, tf.reshape(kernel, (height * width, channels * filters)))
    folded = tf.reshape(folded, (rows.shape[1], columns.shape[1], scale * scale, channels, filters))
    folded = tf.transpose(folded, (0, 1, 3, 2, 4))
    return tf.reshape(folded, (rows.shape[1], columns.shape[1], channels, scale * scale * filters))


def _taps(size: int, scale: int) -> np.ndarray:
    phase, offset = np.arange(scale)[:, None, None], np.arange(size)
    taps = np.arange((scale + size - 2) // scale + 1)[:, None]
    return ((phase + offset) // scale == taps).astype("float32")


def _widened(kernel: tf.Tensor, scale: int) -> tf.Tensor:
    """Mirror the kernel and sum it over windows of s, B2: (h, w, C, D) -> (h + s − 1, w + s − 1, D, C)."""
    rows, columns = (
        (
            np.abs(np.arange(size + scale - 1)[:, None] - np.arange(size)[::-1] - (scale - 1) / 2) < scale / 2
        ).astype("float32")
        for size in kernel.shape[:2]
    )
    height, width, channels, filters = kernel.shape
    windows = np.einsum("uh,vw->uvhw", rows, columns).reshape(-1, height * width)
    summed = tf.matmul(windows, tf.reshape(kernel, (height * width, channels * filters)))
    summed = tf.reshape(summed, (rows.shape[0], columns.shape[0], channels, filters))
    return tf.transpose(summed, (0, 1, 3, 2))


def _convolution(
    x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, padding: Padding, relu: bool, pool: keras.Layer | None
) -> tf.Tensor:
    """Convolve at stride 1, add the bias, then [ReLU], [max-pooling]; gradients by (A) and (C)."""
    mirrored = tuple(
        (size - 1 - before, size - 1 - after)
        for size, (before, after) in zip(kernel.shape[:2], padding, strict=True)
    )

    def differentiable(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        y = tf.nn.bias_add(_correlate(x, kernel, 1, padding), bias)
        y = tf.nn.relu(y) if relu else y
        pooled = y if pool is None else tf.nn.max_pool(y, pool.pool_size, pool.strides, pool.padding.upper())

        def gradients(g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            if relu:
                g = tf.raw_ops.ReluGrad(gradients=g, features=pooled)
            bias_gradient = tf.reduce_sum(g, axis=(0, 1, 2))
            if pool is not None:
                g = tf.raw_ops.MaxPoolGrad(
                    orig_input=y,
                    orig_output=pooled,
                    grad=g,
                    ksize=(1, *pool.pool_size, 1),
                    strides=(1, *pool.strides, 1),
                    padding=pool.padding.upper(),
                )
            backwards = tf.transpose(tf.reverse(kernel, (0, 1)), (0, 1, 3, 2))
            return (
                _correlate(g, backwards, 1, mirrored),
                _kernel_gradient(x, g, kernel.shape, padding),
                bias_gradient,
            )

        return pooled, gradients

    return tf.custom_gradient(differentiable)(x, kernel, bias)


def _kernel_gradient(x: tf.Tensor, g: tf.Tensor, shape: Sequence[int], padding: Padding) -> tf.Tensor:
    """Return ∂L/∂k[d] = Σ_i x[i + d − p] g[i]."""
    height, width, channels, filters = shape
    if height * width * channels <= THIN:
        patches = _rows(_patches(x, height, width, 1, padding))
        return _reshaped(tf.matmul(patches, _rows(g), transpose_a=True), shape)
    if channels * filters < MANY:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=x,
            filter_sizes=shape,
            out_backprop=g,
            strides=(1, 1, 1, 1),
            padding="EXPLICIT",
            explicit_paddings=[0, 0, *padding[0], *padding[1], 0, 0],
        )
    # In memory the rows of all images follow each other. With as many zeros after each row of g as make it
    # as long as a row of x, one number shifts all of x against all of g.
    x = tf.pad(x, ((0, 0), *padding, (0, 0)))
    _, rows, columns, _ = x.shape
    g = tf.pad(g, ((0, 0), (0, rows - g.shape[1]), (0, columns - g.shape[2]), (0, 0)))
    x, g = _rows(x), _rows(g)
    count = x.shape[0] - (height - 1) * columns - (width - 1)
    g = tf.slice(g, [0, 0], [count, filters])
    shifts = [i * columns + j for i in range(height) for j in range(width)]
    products = [
        tf.matmul(tf.slice(x, [shift, 0], [count, channels]), g, transpose_a=True) for shift in shifts
    ]
    return tf.reshape(tf.stack(products), shape)


def _transposed(x: tf.Tensor, kernel: tf.Tensor, stride: int, padding: Padding) -> tf.Tensor:
    """Upsample by ``stride`` and convolve, as B2: x is (N, H, W, C), the widened kernel (h, w, D, C)."""
    height, width, filters, channels = kernel.shape
    sides = [
        stride * small + sum(zeros) - (size - stride + 1) + 1
        for small, zeros, size in zip(x.shape[1:3], padding, (height, width), strict=True)
    ]
    cut = tuple(
        (size - stride - before, size - stride - after)
        for (before, after), size in zip(padding, (height, width), strict=True)
    )

    def differentiable(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        y = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=[tf.shape(x)[0] if x.shape[0] is None else x.shape[0], *sides, filters],
            filter=kernel,
            out_backprop=x,
            strides=(1, stride, stride, 1),
            padding="EXPLICIT",
            explicit_paddings=[0, 0, *cut[0], *cut[1], 0, 0],
        )

        def gradients(g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            patches = _rows(_patches(g, height, width, stride, cut))
            matrix = tf.reshape(kernel, (-1, channels))
            matrix = tf.pad(matrix, ((0, patches.shape[1] - matrix.shape[0]), (0, 0)))
            x_gradient = tf.reshape(tf.matmul(patches, matrix), tf.shape(x))
            return x_gradient, _reshaped(tf.matmul(patches, _rows(x), transpose_a=True), kernel.shape)

        return y, gradients

    return tf.custom_gradient(differentiable)(x, kernel)


def _patches(x: tf.Tensor, height: int, width: int, stride: int, padding: Padding) -> tf.Tensor:
    """Lay the height × width neighbourhoods of x side by side, by a one-hot convolution.

    Returns:
        (N, H', W', height·width·C), and zeros up to a multiple of 8, as many as a vector holds.
    """
    size = height * width * x.shape[3]
    one_hot = tf.eye(size, -(-size // 8) * 8)
    return _correlate(x, tf.reshape(one_hot, (height, width, x.shape[3], -1)), stride, padding)


def _reshaped(padded: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Drop the rows that belong to the zeros of ``_patches``."""
    return tf.reshape(padded[: math.prod(shape[:-1])], shape)


def _correlate(x: tf.Tensor, kernel: tf.Tensor, stride: int, padding: Padding) -> tf.Tensor:
    return tf.nn.conv2d(x, kernel, strides=stride, padding=((0, 0), *padding, (0, 0)))


def _rows(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, (-1, x.shape[-1]))
