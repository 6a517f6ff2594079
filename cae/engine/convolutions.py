"""Convolutions that are fast on a CPU, forwards and backwards: the formulas behind `native/`.

Upsampling, convolution, ReLU and max-pooling are one operation, written in C (`native/`). x is its input,
k the kernel, p the zeros put before x, s the factor of the upsampling.

(A) Convolution.  y[i] = Σ_d x[i + d − p] k[d]
        ∂L/∂x[j] = Σ_d g[j − d + p] k[d]
        ∂L/∂k[d] = Σ_i x[i + d − p] g[i]
    With zeros around x and between its rows, laid out as one line of pixels, every neighbour i + d is a fixed
    distance away. All three are sums over the line whose partial sums stay in registers.
(B) Upsampling by s, then (A).  With ⌊·⌋ for the small pixel that an upsampled one repeats,
        y[i] = Σ_d x[⌊(i + d − p)/s⌋] k[d]
    B1  i = s·m + r: for each phase r, a convolution on the small grid, the kernel's taps summed by
        ⌊(r + d)/s⌋. Nothing is upsampled, and of 3 × 3 taps 2 × 2 are left.
    B2  few filters: with K = k summed over windows of s, every small pixel gives a patch of K's size to y;
        the patches, one matrix product, are added where they overlap. The gradients are those of B1.
(C) ReLU and max-pooling.  The gradient goes to the first pixel of a window that has its maximum, with ReLU
    nowhere if that is not positive. (A)'s gradients visit only those pixels, one of four for windows of
    2 × 2; that of the kernel does so where there are channels enough for a vector.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from cae.engine.operations import operations

Padding = Sequence[tuple[int, int]]
"""Zeros before and after the rows, before and after the columns."""


def convolve(
    x: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
    padding: Padding,
    scale: int,
    relu: bool,
    pool: keras.layers.MaxPooling2D | None,
) -> tf.Tensor:
    """Upsample by `scale`, convolve at stride 1, add the bias, then [ReLU], [max-pooling].

    x float32 (N, H, W, C), kernel (h, w, C, D), bias (D,) → float32 (N, H', W', D) of unknown static shape.
    The zeros of `padding` must be fewer than the kernel is long; there is no pooling after upsampling.
    """
    result, _ = operations().cae_convolution(
        x,
        kernel,
        bias,
        scale=scale,
        padding=[zeros for axis in padding for zeros in axis],
        relu=relu,
        pool=[0, 0, 0, 0] if pool is None else [*pool.pool_size, *pool.strides],
        pool_same=pool is not None and pool.padding == "same",
    )
    return result


@tf.RegisterGradient("CaeConvolution")
def gradients(operation: tf.Operation, gradient: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Return ∂L/∂x, ∂L/∂k and the bias's from ∂L/∂y and the operation that gave y."""
    x, kernel, _bias = operation.inputs
    attributes: dict[str, Any] = {
        name: operation.get_attr(name) for name in ("scale", "padding", "relu", "pool", "pool_same")
    }
    known = (x, kernel, *operation.outputs, gradient)
    return (
        operations().cae_convolution_input_gradient(*known, **attributes),
        *operations().cae_convolution_kernel_gradient(*known, **attributes),
    )
