"""Arithmetic with the same bits on every processor, in C: dense layers, functions, losses and sums.

TensorFlow's exp, sums and matrix products differ in their last digits between processors. The C code in
`native/` uses only operations that IEEE 754 defines exactly, in a fixed order. `stock` has those that tasks
call, as TensorFlow computes them, for `train.engine: stock` and for GPUs.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from cae.engine.operations import load_operations

# As in the enums of native/arithmetic.h.
EXP, LOG, SIGMOID, TANH, GELU, GELU_SLOPE, SQRT, RECIPROCAL = range(8)
CROSS_ENTROPY, SIGMOID_SQUARED_ERROR, SQUARED_ERROR = range(3)


def dense(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None = None) -> tf.Tensor:
    """Return x·kernel + bias: float32 (N, C), (C, D), (D,) → (N, D).

    Each number of the result is one chain of fused multiply-adds, which starts with the bias.
    """
    start = tf.zeros((0,)) if bias is None else bias
    y = load_operations().cae_product(x, kernel, start, transpose_a=False, transpose_b=False)
    y.set_shape((x.shape[0], kernel.shape[1]))
    return y


@tf.RegisterGradient("CaeProduct")
def compute_product_gradients(operation: tf.Operation, gradient: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Return ∂L/∂x = g·kᵀ, ∂L/∂k = xᵀ·g and ∂L/∂b = Σ g of `dense`."""
    x, kernel, bias = operation.inputs
    none = tf.zeros((0,))
    product = load_operations().cae_product
    return (
        product(gradient, kernel, none, transpose_a=False, transpose_b=True),
        product(x, gradient, none, transpose_a=True, transpose_b=False),
        sum_over(gradient[tf.newaxis], 1)[0] if bias.shape[0] else none,
    )


def exp(x: tf.Tensor) -> tf.Tensor:
    """Return eˣ."""
    return apply(EXP, x)


def log(x: tf.Tensor) -> tf.Tensor:
    """Return the natural logarithm."""
    return apply(LOG, x)


def sigmoid(x: tf.Tensor) -> tf.Tensor:
    """Return 1/(1 + e⁻ˣ)."""
    return apply(SIGMOID, x)


def tanh(x: tf.Tensor) -> tf.Tensor:
    """Return the hyperbolic tangent."""
    return apply(TANH, x)


def gelu(x: tf.Tensor) -> tf.Tensor:
    """Return x·Φ(x), Φ the normal distribution: Hendrycks, Gimpel (2016), https://arxiv.org/abs/1606.08415."""
    return apply(GELU, x)


def sqrt(x: tf.Tensor) -> tf.Tensor:
    """Return the square root."""
    return apply(SQRT, x)


def apply(function: int, x: tf.Tensor) -> tf.Tensor:
    """Apply one of the functions to each number."""
    y = load_operations().cae_function(x, choice=function)
    y.set_shape(x.shape)
    return y


# Function → its derivative, from x and y.
DERIVATIVES: dict[int, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    EXP: lambda x, y: y,
    # TensorFlow's 1 / x is an approximation in a graph.
    LOG: lambda x, y: apply(RECIPROCAL, x),
    SQRT: lambda x, y: apply(RECIPROCAL, 2 * y),
    SIGMOID: lambda x, y: y * (1 - y),
    TANH: lambda x, y: 1 - y * y,
    GELU: lambda x, y: apply(GELU_SLOPE, x),
}


@tf.RegisterGradient("CaeFunction")
def compute_function_gradient(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    """Multiply the gradient by the function's derivative."""
    derivative = DERIVATIVES[operation.get_attr("choice")]
    return gradient * derivative(operation.inputs[0], operation.outputs[0])


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum −t·ln σ(z) − (1 − t)·ln(1 − σ(z)) over each image: float32 (N, …), (N, …) → (N,)."""
    return compute_loss(CROSS_ENTROPY, targets, logits)


def sigmoid_squared_error(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum (σ(z) − t)² over each image: float32 (N, …), (N, …) → (N,)."""
    return compute_loss(SIGMOID_SQUARED_ERROR, targets, logits)


def squared_error(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Sum (y − t)² over each image: float32 (N, …), (N, …) → (N,)."""
    return compute_loss(SQUARED_ERROR, targets, outputs)


def compute_loss(loss: int, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Sum one of the losses over each image."""
    losses, _ = load_operations().cae_loss(outputs, targets, choice=loss)
    losses.set_shape(outputs.shape[:1])
    return losses


@tf.RegisterGradient("CaeLoss")
def compute_loss_gradient(operation: tf.Operation, gradient: tf.Tensor, _: Any) -> tuple[tf.Tensor, None]:
    """Multiply the derivatives by the gradient of each image; the targets have no gradient."""
    derivatives = operation.outputs[1]
    derivatives.set_shape(operation.inputs[0].shape)
    return derivatives * tf.reshape(gradient, (-1, *(1 for _ in derivatives.shape[1:]))), None


def sum_over(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Sum over one axis in double precision and round once: float32 (…, D, …) → (…, …)."""
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    rows = tf.reshape(x, (before.num_elements(), x.shape[axis], after.num_elements()))
    return tf.reshape(load_operations().cae_sum(rows), (*before, *after))


@tf.RegisterGradient("CaeSum")
def compute_sum_gradient(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    """Repeat the gradient of the sum for every summand."""
    return tf.repeat(gradient[:, tf.newaxis], operation.inputs[0].shape[1], axis=1)


@tf.custom_gradient
def repeat(x: tf.Tensor, count: int) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, None]]]:
    """Repeat every row: float32 (N, D) → (N·count, D), the copies of a row one after the other."""

    def compute_gradients(gradient: tf.Tensor) -> tuple[tf.Tensor, None]:
        return sum_over(tf.reshape(gradient, (x.shape[0], count, x.shape[1])), 1), None

    return tf.repeat(x, count, axis=0), compute_gradients
