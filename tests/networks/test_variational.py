"""The variational network: gates, and which parts of it share weights."""

import itertools

import keras
import numpy as np
from scipy.special import expit

from cae.networks import variational


def test_every_number_of_a_gated_layer_is_linear_times_its_gate() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    given = keras.Input((3,))
    layer = keras.Model(given, variational.hidden_layer(given, 4, "gated", itertools.count(1)))
    linear, _, gate, _ = layer.get_weights()
    np.testing.assert_allclose(layer(rows), (rows @ linear) * expit(rows @ gate), rtol=1e-5)
