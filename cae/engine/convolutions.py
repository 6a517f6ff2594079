"""Convolutions that are fast on a CPU, with their gradients: the formulas behind the C code in `native/`.

Upsampling, convolution, ReLU and max-pooling are one operation. x is its input, k the kernel, p the number of
zeros before x, s the factor of the upsampling, g the gradient of y.

(A) Convolution.  y[i] = Σ_d x[i + d − p] k[d]
        ∂L/∂x[j] = Σ_d g[j − d + p] k[d]
        ∂L/∂k[d] = Σ_i x[i + d − p] g[i]
    An image is laid out as one line of pixels, with zeros around it and between its rows: every neighbour
    i + d is then at a fixed distance. All three are sums over that line, computed in registers.
(B) Upsampling by s, then (A).  With ⌊·⌋ for the small pixel that an upsampled one repeats,
        y[i] = Σ_d x[⌊(i + d − p)/s⌋] k[d]
    B1  i = s·m + r: for each phase r, a convolution of the small image, with the kernel's taps summed by
        ⌊(r + d)/s⌋. Nothing is upsampled, and of 3 × 3 taps 2 × 2 are left.
    B2  For few filters: with K = k summed over windows of s, each small pixel adds a patch of K's size to y.
        The patches are one matrix product. The gradients are those of B1.
(C) ReLU and max-pooling.  The gradient goes to the first pixel of a window that has its maximum; after ReLU,
    nowhere if the maximum is not positive. The gradients of (A) visit only those pixels, one in four for
    windows of 2 × 2; that of the kernel only if there are enough channels to fill a vector.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from cae.engine.operations import load_operations

Padding = Sequence[tuple[int, int]]
"""Zeros before and after the rows, and before and after the columns."""


def convolve(
    x: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
    padding: Padding,
    scale: int,
    relu: bool,
    pool: keras.layers.MaxPooling2D | None,
) -> tf.Tensor:
    """Upsample by `scale`, convolve with stride 1, add the bias, then apply [ReLU] and [max-pooling].

    x float32 (N, H, W, C), kernel (h, w, C, D), bias (D,) → float32 (N, H', W', D) of unknown static shape.
    `padding` must be smaller than the kernel. Pooling needs scale 1.
    """
    result, _ = load_operations().cae_convolution(
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
def compute_gradients(operation: tf.Operation, gradient: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Return ∂L/∂x, ∂L/∂k and the gradient of the bias from ∂L/∂y and the operation that computed y."""
    x, kernel, _bias = operation.inputs
    attributes: dict[str, Any] = {
        name: operation.get_attr(name) for name in ("scale", "padding", "relu", "pool", "pool_same")
    }
    known = (x, kernel, *operation.outputs, gradient)
    return (
        load_operations().cae_convolution_input_gradient(*known, **attributes),
        *load_operations().cae_convolution_kernel_gradient(*known, **attributes),
    )
