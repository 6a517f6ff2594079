"""Exact arithmetic: as accurate as promised, and with the gradients of TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from cae.engine import exact, stock

Numbers = npt.NDArray[np.float32]
# Any bits, which have every exponent and sign, and numbers that networks compute with.
ANY: Numbers = np.concatenate(
    [
        np.random.default_rng(0).integers(0, 1 << 32, 500_000, np.uint32).view(np.float32),
        np.random.default_rng(1).uniform(-110, 110, 500_000).astype(np.float32),
        np.random.default_rng(2).normal(0, 3, 500_000).astype(np.float32),
    ]
)
TINY = np.finfo(np.float32).tiny
# TensorFlow takes subnormal numbers for 0.
NORMAL = ANY[np.isfinite(ANY) & (np.abs(ANY) >= TINY)]
FUNCTIONS: dict[str, Callable[[npt.NDArray[np.longdouble]], npt.NDArray[Any]]] = {
    "exp": np.exp,
    "log": np.log,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "gelu": lambda x: x * special.ndtr(x.astype(np.float64)),
}
# Functions of positive numbers.
POSITIVE = ("log", "sqrt")
LOSSES = ("cross_entropy", "sigmoid_squared_error", "squared_error")


def compute_gradient(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return y = f(x) and the gradient of its sum."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y, tape.gradient(y, x)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_rounded_nearly_correctly(name: str) -> None:
    x = np.abs(NORMAL) if name in POSITIVE else NORMAL
    found = getattr(exact, name)(tf.constant(x)).numpy()
    expected = FUNCTIONS[name](x.astype(np.longdouble))
    rounded = expected.astype(np.float32)
    assert np.array_equal(np.isinf(found), np.isinf(rounded))
    normal = np.isfinite(rounded) & (np.abs(rounded) >= TINY)
    units_in_the_last_place = np.abs(found[normal] - expected[normal]) / np.spacing(np.abs(rounded[normal]))
    assert units_in_the_last_place.max() < 0.501
    assert np.isnan(getattr(exact, name)(tf.constant([np.nan]))).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_gradient_of_tensorflow(name: str) -> None:
    x = tf.constant(np.random.default_rng(0).uniform(0.1, 4, 1000).astype(np.float32))
    x = x if name in POSITIVE else tf.concat([x, -x], 0)
    _, found = compute_gradient(getattr(exact, name), x)
    stock_functions = {"log": tf.math.log, "gelu": tf.nn.gelu}
    _, expected = compute_gradient(stock_functions.get(name) or getattr(tf, name), x)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [1, 7, 8, 300])
def test_a_loss_has_the_values_and_gradients_of_tensorflow(name: str, size: int) -> None:
    draws = np.random.default_rng(size)
    outputs = tf.constant(draws.normal(0, 3, (5, size, 1)).astype(np.float32))
    targets = tf.constant(draws.random((5, size, 1), np.float32))
    weights = tf.constant(draws.normal(size=5).astype(np.float32))
    loss, stock_loss = getattr(exact, name), getattr(stock, name)
    found, gradient = compute_gradient(lambda x: loss(targets, x) * weights, outputs)
    expected, expected_gradient = compute_gradient(lambda x: stock_loss(targets, x) * weights, outputs)
    assert found.shape == (5,)
    np.testing.assert_allclose(found, expected, rtol=2e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-5, atol=2e-6)
    assert np.isnan(loss(tf.zeros((1, 2)), tf.constant([[np.nan, 1.0]]))).all()


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 70), st.integers(1, 90), st.integers(0, 99))
def test_a_dense_layer_and_its_gradients_are_matrix_products(
    rows: int, inner: int, columns: int, seed: int
) -> None:
    draws = np.random.default_rng(seed)
    # Small whole numbers, with which float32 computes exactly.
    x, kernel, bias, factors = (
        draws.integers(-8, 9, shape).astype(np.float32)
        for shape in ((rows, inner), (inner, columns), (columns,), (rows, columns))
    )
    tensors = [tf.constant(array) for array in (x, kernel, bias)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = exact.dense(*tensors)
        total = tf.reduce_sum(y * factors)
    np.testing.assert_array_equal(y, x @ kernel + bias)
    gradients = (factors @ kernel.T, x.T @ factors, factors.sum(axis=0))
    for found, expected in zip(tape.gradient(total, tensors), gradients, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(3, 1000, 5), (3, 1000)])
def test_a_sum_is_computed_in_double_precision_and_rounded_once(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = x.sum(axis=1, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(exact.sum_over(tf.constant(x), 1), expected)


@pytest.mark.parametrize("size", [1, 7, 8, 300])
@pytest.mark.parametrize("name", ["sqrt", "log"])
def test_the_gradient_of_a_root_or_logarithm_has_an_exact_reciprocal(name: str, size: int) -> None:
    draws = np.random.default_rng(size)
    x, factors = draws.uniform(0.1, 4, size).astype(np.float32), draws.normal(size=size).astype(np.float32)

    # Compiled, because a graph is where TensorFlow approximates reciprocals.
    @tf.function
    def compute() -> tf.Tensor:
        return compute_gradient(lambda values: getattr(exact, name)(values) * factors, variable)[1]

    variable = tf.Variable(x)
    expected = factors * (1 / (2 * np.sqrt(x)) if name == "sqrt" else 1 / x)
    np.testing.assert_array_equal(compute(), expected)


def test_the_gradient_of_repeated_rows_is_the_sum_over_the_copies() -> None:
    x = tf.constant(np.arange(6, dtype=np.float32).reshape(3, 2))
    factors = np.random.default_rng(0).integers(0, 9, (12, 2)).astype(np.float32)
    y, gradient = compute_gradient(lambda x: exact.repeat(x, 4) * factors, x)
    np.testing.assert_array_equal(y, np.repeat(x, 4, axis=0) * factors)
    np.testing.assert_array_equal(gradient, factors.reshape(3, 4, 2).sum(axis=1))
