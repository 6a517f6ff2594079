"""The strong network is its formula, and learns nothing from any global state."""

import keras
import numpy as np
import pytest
from scipy.special import erf, expit

from cae.networks import residual

IMAGES = np.random.default_rng(0).random((3, 6, 5, 1), dtype=np.float32)


def gelu(x: np.ndarray) -> np.ndarray:
    """Hendrycks, Gimpel (2016): x·Φ(x), Φ the normal distribution function."""
    return x * (1 + erf(x / np.sqrt(2))) / 2


def two_paths(rows: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    hidden, hidden_bias, straight, out, out_bias = weights
    return rows @ straight + gelu(rows @ hidden + hidden_bias) @ out + out_bias


def by_place(model: keras.Model) -> list[np.ndarray]:
    """Hidden matrix and bias, straight matrix, outgoing matrix and bias, told apart by their shapes."""
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    (straight,) = (layer for layer in dense if not layer.use_bias)
    (hidden,) = (layer for layer in dense if layer.activation is keras.activations.gelu)
    (out,) = (layer for layer in dense if layer not in (straight, hidden))
    weights = [*hidden.get_weights(), *straight.get_weights(), *out.get_weights()]
    return [weight.astype(np.float64) for weight in weights]


def test_both_halves_are_the_formula() -> None:
    built = residual.build(residual.Settings(code_size=4, width=7), (6, 5, 1), seed=1)
    codes = two_paths(IMAGES.reshape(3, 30).astype(np.float64), by_place(built.encoder))
    np.testing.assert_allclose(built.encoder(IMAGES), codes, atol=1e-5)
    images = expit(two_paths(codes, by_place(built.decoder))).reshape(IMAGES.shape)
    np.testing.assert_allclose(built.network(IMAGES), images, atol=1e-5)


@pytest.mark.parametrize("shape", [(28, 28, 1), (5, 9, 3)])
def test_any_image_has_a_code_of_the_size_asked_for(shape: tuple[int, ...]) -> None:
    built = residual.build(residual.Settings(code_size=6, width=8), shape, seed=1)
    assert built.code_shape == (6,)
    assert built.network.output_shape == (None, *shape)


def test_the_start_depends_on_the_seed_alone() -> None:
    one = residual.build(residual.Settings(code_size=4, width=7), (6, 5, 1), seed=3).network.get_weights()
    keras.utils.set_random_seed(99)
    same, other = (
        residual.build(residual.Settings(code_size=4, width=7), (6, 5, 1), seed).network.get_weights()
        for seed in (3, 4)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    matrices = [weight.ravel()[0] for weight in one if weight.ndim == 2]
    assert len(set(matrices)) == len(matrices) == 6
