"""Exact arithmetic: as accurate as it says, and with the gradients that TensorFlow has."""

from collections.abc import Callable
from typing import Any

from cae.engine import exact, stock  # isort: split

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

Numbers = npt.NDArray[np.float32]
# Every exponent, both signs; then what networks meet.
ANY: Numbers = np.concatenate(
    [
        np.random.default_rng(0).integers(0, 1 << 32, 500_000, np.uint32).view(np.float32),
        np.random.default_rng(1).uniform(-110, 110, 500_000).astype(np.float32),
        np.random.default_rng(2).normal(0, 3, 500_000).astype(np.float32),
    ]
)
# TensorFlow takes numbers below the normal ones for 0.
NORMAL = ANY[np.isfinite(ANY) & (np.abs(ANY) >= np.finfo(np.float32).tiny)]
REFERENCES: dict[str, Callable[[npt.NDArray[np.longdouble]], npt.NDArray[Any]]] = {
    "exp": np.exp,
    "log": np.log,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "gelu": lambda x: x * special.ndtr(x.astype(np.float64)),
}
LOSSES = ("cross_entropy", "sigmoid_squared_error", "squared_error")


def units_in_the_last_place(found: Numbers, exact_values: npt.NDArray[Any]) -> float:
    """Return the greatest error where the exact value is a normal float32."""
    rounded = exact_values.astype(np.float32)
    normal = np.isfinite(rounded) & (np.abs(rounded) >= np.finfo(np.float32).tiny)
    assert np.array_equal(np.isinf(found), np.isinf(rounded))
    errors = np.abs(found[normal] - exact_values[normal]) / np.spacing(np.abs(rounded[normal]))
    return float(errors.max())


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("name", REFERENCES)
def test_a_function_errs_by_half_a_unit_in_the_last_place(name: str) -> None:
    x = np.abs(NORMAL) if name == "log" else NORMAL
    found = getattr(exact, name)(tf.constant(x)).numpy()
    assert units_in_the_last_place(found, REFERENCES[name](x.astype(np.longdouble))) < 0.501


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_not_a_number_stays_so(name: str) -> None:
    assert np.isnan(getattr(exact, name)(tf.constant([np.nan]))).all()


@pytest.mark.parametrize("name", REFERENCES)
def test_a_function_has_tensorflows_gradient(name: str) -> None:
    x = tf.constant(np.random.default_rng(0).uniform(0.1, 4, 1000).astype(np.float32))
    x = x if name == "log" else tf.concat([x, -x], 0)
    stock_function = tf.nn.gelu if name == "gelu" else getattr(stock, name)
    gradients = []
    for function in (getattr(exact, name), stock_function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        gradients.append(tape.gradient(y, x))
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [1, 7, 8, 300])
def test_a_loss_and_its_gradient_are_those_of_tensorflow(name: str, size: int) -> None:
    draws = np.random.default_rng(size)
    outputs = tf.constant(draws.normal(0, 3, (5, size, 1)).astype(np.float32))
    targets = tf.constant(draws.random((5, size, 1), np.float32))
    weights = tf.constant(draws.normal(size=5).astype(np.float32))
    values, gradients = [], []
    for arithmetic in (exact, stock):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            losses = getattr(arithmetic, name)(targets, outputs)
            total = tf.reduce_sum(losses * weights)
        values.append(losses)
        gradients.append(tape.gradient(total, outputs))
    assert values[0].shape == (5,)
    np.testing.assert_allclose(values[0], values[1], rtol=2e-6)
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-5, atol=2e-6)


def test_a_loss_of_what_is_not_a_number_is_none() -> None:
    for name in LOSSES:
        assert np.isnan(getattr(exact, name)(tf.zeros((1, 2)), tf.constant([[np.nan, 1.0]]))).all()


def chain(a: Numbers, b: Numbers, start: Numbers) -> npt.NDArray[np.float64]:
    """Compute start + a·b by fused multiply-adds in ascending order, exactly: small whole numbers."""
    return start.astype(np.float64) + a.astype(np.float64) @ b.astype(np.float64)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 70), st.integers(1, 90), st.integers(0, 99))
def test_a_dense_layer_and_its_gradients_are_matrix_products(
    rows: int, inner: int, columns: int, seed: int
) -> None:
    draws = np.random.default_rng(seed)
    x, kernel, bias, pull = (
        draws.integers(-8, 9, shape).astype(np.float32)
        for shape in ((rows, inner), (inner, columns), (columns,), (rows, columns))
    )
    tensors = [tf.constant(array) for array in (x, kernel, bias)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = exact.dense(*tensors)
        total = tf.reduce_sum(y * pull)
    np.testing.assert_array_equal(y, chain(x, kernel, bias))
    for found, expected in zip(
        tape.gradient(total, tensors), (pull @ kernel.T, x.T @ pull, pull.sum(axis=0)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_sum_is_rounded_once() -> None:
    x = np.random.default_rng(0).normal(size=(3, 1000, 5)).astype(np.float32)
    np.testing.assert_array_equal(
        exact.sum_over(tf.constant(x), 1), x.sum(axis=1, dtype=np.float64).astype(np.float32)
    )
    np.testing.assert_array_equal(
        exact.sum_over(tf.constant(x[..., 0]), 1), x[..., 0].sum(axis=1, dtype=np.float64).astype(np.float32)
    )


def test_the_gradient_of_repeated_rows_is_the_sum_over_the_copies() -> None:
    x = tf.constant(np.arange(6, dtype=np.float32).reshape(3, 2))
    weights = np.random.default_rng(0).integers(0, 9, (12, 2)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        repeated = exact.repeat(x, 4)
        total = tf.reduce_sum(repeated * weights)
    np.testing.assert_array_equal(repeated, np.repeat(x, 4, axis=0))
    np.testing.assert_array_equal(tape.gradient(total, x), weights.reshape(3, 4, 2).sum(axis=1))
