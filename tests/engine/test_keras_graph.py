"""The private parts of Keras: this test fails first if a new version of Keras has changed them."""

import re

import keras

from cae.engine import keras_graph
from tests import ROOT

PRIVATE = re.compile(
    r"\.(_functional|_nodes_by_depth|_momentums|_velocities|_flatten_layers|_keras_history|_inbound_nodes)\b"
)


def test_adam_has_two_moments_of_each_variable() -> None:
    optimizer = keras.optimizers.Adam()
    optimizer.build([keras.Variable([1.0, 2.0])])
    ((first, second),) = keras_graph.get_moments(optimizer)
    assert first.shape == second.shape == (2,)


def test_an_activity_regularizer_is_found_in_a_model_inside_a_model() -> None:
    half = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activity_regularizer="l2")])
    assert keras_graph.has_activity_regularizer(keras.Sequential([keras.Input((3,)), half]))


def test_a_model_that_is_used_twice_has_its_calls_twice() -> None:
    half = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    image = keras.Input((3,))
    graph = keras_graph.read_graph(keras.Model(image, keras.layers.Add()([half(image), half(half(image))])))
    kinds = [type(call.operation).__name__ for call in graph.calls]
    assert sorted(kinds) == ["Add", "Dense", "Dense", "Dense"]
    numbers = [number for call in graph.calls for number in call.outputs]
    assert len(set(numbers)) == len(numbers)


def test_no_other_module_reads_private_parts() -> None:
    readers = {path.name for path in (ROOT / "cae").rglob("*.py") if PRIVATE.search(path.read_text())}
    assert readers == {"keras_graph.py"}
