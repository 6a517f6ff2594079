"""Arithmetic whose bits no processor can change: dense layers, functions, losses and sums, in C (`native/`).

TensorFlow's own exp, sums and matrix products give other last digits on other processors. These use nothing
but operations that IEEE 754 defines exactly, in a fixed order. `stock` has the same functions as TensorFlow
computes them, for `train.engine: stock` and for GPUs.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from cae.engine.operations import operations

# Places in the enums of native/arithmetic.h.
EXP, LOG, SIGMOID, TANH, GELU, GELU_SLOPE = range(6)
CROSS_ENTROPY, SIGMOID_SQUARED_ERROR, SQUARED_ERROR = range(3)


def dense(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None = None) -> tf.Tensor:
    """Return x·kernel + bias: float32 (N, C), (C, D), (D,) → (N, D).

    Each number of the result is one chain of fused multiply-adds that begins with the bias.
    """
    start = tf.zeros((0,)) if bias is None else bias
    y = operations().cae_product(x, kernel, start, transpose_a=False, transpose_b=False)
    y.set_shape((x.shape[0], kernel.shape[1]))
    return y


@tf.RegisterGradient("CaeProduct")
def product_gradients(operation: tf.Operation, gradient: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Return ∂L/∂x = g·kᵀ, ∂L/∂k = xᵀ·g and ∂L/∂b = Σ g of `dense`."""
    x, kernel, bias = operation.inputs
    none = tf.zeros((0,))
    product = operations().cae_product
    return (
        product(gradient, kernel, none, transpose_a=False, transpose_b=True),
        product(x, gradient, none, transpose_a=True, transpose_b=False),
        sum_over(gradient[tf.newaxis], 1)[0] if bias.shape[0] else none,
    )


def exp(x: tf.Tensor) -> tf.Tensor:
    """Return eˣ."""
    return function(EXP, x)


def log(x: tf.Tensor) -> tf.Tensor:
    """Return the natural logarithm."""
    return function(LOG, x)


def sigmoid(x: tf.Tensor) -> tf.Tensor:
    """Return 1/(1 + e⁻ˣ)."""
    return function(SIGMOID, x)


def tanh(x: tf.Tensor) -> tf.Tensor:
    """Return the hyperbolic tangent."""
    return function(TANH, x)


def gelu(x: tf.Tensor) -> tf.Tensor:
    """Return x·Φ(x), Φ the normal distribution: Hendrycks, Gimpel (2016), https://arxiv.org/abs/1606.08415."""
    return function(GELU, x)


def function(choice: int, x: tf.Tensor) -> tf.Tensor:
    """Apply one of the functions to each number."""
    y = operations().cae_function(x, choice=choice)
    y.set_shape(x.shape)
    return y


# By each function's place: its slope, from x and y.
SLOPES: dict[int, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    EXP: lambda x, y: y,
    LOG: lambda x, y: 1 / x,
    SIGMOID: lambda x, y: y * (1 - y),
    TANH: lambda x, y: 1 - y * y,
    GELU: lambda x, y: function(GELU_SLOPE, x),
}


@tf.RegisterGradient("CaeFunction")
def function_gradient(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    """Multiply the gradient by the function's slope."""
    slope = SLOPES[operation.get_attr("choice")]
    return gradient * slope(operation.inputs[0], operation.outputs[0])


def cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum −t·ln σ(z) − (1 − t)·ln(1 − σ(z)) over each image: float32 (N, …), (N, …) → (N,)."""
    return loss(CROSS_ENTROPY, targets, logits)


def sigmoid_squared_error(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sum (σ(z) − t)² over each image: float32 (N, …), (N, …) → (N,)."""
    return loss(SIGMOID_SQUARED_ERROR, targets, logits)


def squared_error(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Sum (y − t)² over each image: float32 (N, …), (N, …) → (N,)."""
    return loss(SQUARED_ERROR, targets, outputs)


def loss(choice: int, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Sum one of the losses over each image."""
    losses, _ = operations().cae_loss(outputs, targets, choice=choice)
    losses.set_shape(outputs.shape[:1])
    return losses


@tf.RegisterGradient("CaeLoss")
def loss_gradient(operation: tf.Operation, gradient: tf.Tensor, _: Any) -> tuple[tf.Tensor, None]:
    """Multiply the slopes by the gradient of each image; targets are given."""
    slopes = operation.outputs[1]
    slopes.set_shape(operation.inputs[0].shape)
    return slopes * tf.reshape(gradient, (-1, *(1 for _ in slopes.shape[1:]))), None


def sum_over(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Sum over one axis, in double, rounded once: float32 (…, D, …) → (…, …)."""
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    rows = tf.reshape(x, (before.num_elements(), x.shape[axis], after.num_elements()))
    return tf.reshape(operations().cae_sum(rows), (*before, *after))


@tf.RegisterGradient("CaeSum")
def sum_gradient(operation: tf.Operation, gradient: tf.Tensor) -> tf.Tensor:
    """Give every summand the gradient of the sum."""
    return tf.repeat(gradient[:, tf.newaxis], operation.inputs[0].shape[1], axis=1)


@tf.custom_gradient
def repeat(x: tf.Tensor, count: int) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, None]]]:
    """Repeat every row: float32 (N, D) → (N·count, D), a row's copies one after the other."""

    def gradients(gradient: tf.Tensor) -> tuple[tf.Tensor, None]:
        return sum_over(tf.reshape(gradient, (x.shape[0], count, x.shape[1])), 1), None

    return tf.repeat(x, count, axis=0), gradients
