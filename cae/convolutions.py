"""Convolutions with gradients that are fast on a CPU: the formulas behind `cae.kernels`.

Each rewrite gives the stock result up to rounding. x is the input, k the kernel, p the zeros put before x.

(A) Convolution, stride 1.  y[i] = Σ_d x[i + d − p] k[d]
        ∂L/∂x[j] = Σ_d g[j − d + p] k[d]      a forward convolution of g with the mirrored kernel
        ∂L/∂k[d] = Σ_i x[i + d − p] g[i]      one matrix product with the patches of a thin x; the stock
                                              operation where channels × filters are few; otherwise one
                                              product for each d: x and g are padded once, shifts are views
    A thin g is a case of B2, with s = 1.
(B) Upsampling by s, then (A).  With ⌊·⌋ for the small pixel that an upsampled one repeats,
        y[i] = Σ_d x[⌊(i + d − p)/s⌋] k[d]
    B1  many filters: i = s·m + r, and the kernel summed by phase r gives a convolution on the small grid
        with s² times the filters, interleaved afterwards.
    B2  few filters: with K = k summed over windows of s, a transposed convolution of stride s; patches of g
        at stride s give both gradients, one matrix product each.
(C) ReLU and max-pooling.  The gradient is masked on the small side, where max(relu(y)) > 0, then pooled back.
"""

import itertools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

Padding = Sequence[tuple[int, int]]
"""Zeros before and after the rows, before and after the columns."""
Gradients = Callable[..., tuple[tf.Tensor, ...]]

# Patches of up to so many numbers are gathered by a one-hot convolution (measured).
THIN = 36
# From so many channels × filters on, one matrix product an offset beats the stock operation (measured).
MANY = 256


def by_phase(kernel: tf.Tensor, scale: int) -> tf.Tensor:
    """Sum the kernel by phase, B1: (h, w, C, D) -> (t, u, C, s·s·D), k[d] of phase r in tap ⌊(r + d)/s⌋."""
    rows, columns = (_taps(size, scale) for size in kernel.shape[:2])
    height, width, channels, filters = kernel.shape
    taps = np.einsum("ath,buw->tuabhw", rows, columns).reshape(-1, height * width)
    folded = tf.matmul(taps, tf.reshape(kernel, (height * width, channels * filters)))
    folded = tf.reshape(folded, (rows.shape[1], columns.shape[1], scale * scale, channels, filters))
    folded = tf.transpose(folded, (0, 1, 3, 2, 4))
    return tf.reshape(folded, (rows.shape[1], columns.shape[1], channels, scale * scale * filters))


def _taps(size: int, scale: int) -> np.ndarray:
    phase, offset = np.arange(scale)[:, None, None], np.arange(size)
    taps = np.arange((scale + size - 2) // scale + 1)[:, None]
    return ((phase + offset) // scale == taps).astype("float32")


def widened(kernel: tf.Tensor, scale: int) -> tf.Tensor:
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


def convolve(
    x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, padding: Padding, relu: bool, pool: keras.Layer | None
) -> tf.Tensor:
    """Convolve at stride 1, add the bias, then [ReLU], [max-pooling]; gradients by (A) and (C).

    The zeros of `padding` must be fewer than the kernel is long.
    """
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
        return tf.reshape(tf.matmul(patches, _rows(g), transpose_a=True), shape)
    if channels * filters < MANY:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=x,
            filter_sizes=shape,
            out_backprop=g,
            strides=(1, 1, 1, 1),
            padding="EXPLICIT",
            explicit_paddings=[0, 0, *padding[0], *padding[1], 0, 0],
        )
    # In memory the rows of all images follow each other. With zeros between them, one number shifts all of x
    # against all of g, and what is left of either after the shift is a view.
    rows, columns = (
        max(side + max(zeros), other)
        for side, zeros, other in zip(x.shape[1:3], padding, g.shape[1:3], strict=True)
    )
    x, g = (
        _rows(tf.pad(y, ((0, 0), (0, rows - y.shape[1]), (0, columns - y.shape[2]), (0, 0)))) for y in (x, g)
    )
    products = []
    for i, j in itertools.product(range(height), range(width)):
        shift = (i - padding[0][0]) * columns + j - padding[1][0]
        ahead, behind = max(shift, 0), max(-shift, 0)
        products.append(tf.matmul(x[ahead : -behind or None], g[behind : -ahead or None], transpose_a=True))
    return tf.reshape(tf.stack(products), shape)


def convolve_transposed(
    x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, stride: int, padding: Padding
) -> tf.Tensor:
    """Upsample by ``stride``, convolve, add the bias, as B2: x (N, H, W, C), widened kernel (h, w, D, C)."""
    height, width, filters, channels = kernel.shape
    sides = [
        stride * (small + 1) + sum(zeros) - size
        for small, zeros, size in zip(x.shape[1:3], padding, (height, width), strict=True)
    ]
    cut = tuple(
        (size - stride - before, size - stride - after)
        for (before, after), size in zip(padding, (height, width), strict=True)
    )

    def differentiable(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        y = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=[tf.shape(x)[0] if x.shape[0] is None else x.shape[0], *sides, filters],
            filter=kernel,
            out_backprop=x,
            strides=(1, stride, stride, 1),
            padding="EXPLICIT",
            explicit_paddings=[0, 0, *cut[0], *cut[1], 0, 0],
        )

        def gradients(g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            patches = _rows(_patches(g, height, width, stride, cut))
            x_gradient = tf.reshape(tf.matmul(patches, tf.reshape(kernel, (-1, channels))), tf.shape(x))
            kernel_gradient = tf.reshape(tf.matmul(patches, _rows(x), transpose_a=True), kernel.shape)
            return x_gradient, kernel_gradient, tf.reduce_sum(g, axis=(0, 1, 2))

        return tf.nn.bias_add(y, bias), gradients

    return tf.custom_gradient(differentiable)(x, kernel, bias)


def _patches(x: tf.Tensor, height: int, width: int, stride: int, padding: Padding) -> tf.Tensor:
    """Lay the neighbourhoods of x side by side, (N, H', W', height·width·C), by a one-hot convolution."""
    size = height * width * x.shape[3]
    one_hot = tf.reshape(tf.eye(size), (height, width, x.shape[3], size))
    return _correlate(x, one_hot, stride, padding)


def _correlate(x: tf.Tensor, kernel: tf.Tensor, stride: int, padding: Padding) -> tf.Tensor:
    return tf.nn.conv2d(x, kernel, strides=stride, padding=((0, 0), *padding, (0, 0)))


def _rows(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, (-1, x.shape[-1]))
