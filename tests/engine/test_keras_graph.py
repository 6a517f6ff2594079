"""Every private attribute of Keras that is read, by name: another Keras that has none fails here first."""

import re
from pathlib import Path

import keras
import pytest

from cae.engine import keras_graph
from tests import default

ROOT = Path(__file__).parents[2]
KERAS_PRIVATE = ("_functional", "_nodes_by_depth", "_momentums", "_velocities", "_flatten_layers")


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), KERAS_PRIVATE[:1]),
        (default.autoencoder(1).network._functional, KERAS_PRIVATE[1:2]),
        (default.autoencoder(1).network, KERAS_PRIVATE[4:]),
    ],
)
def test_keras_has_the_private_attributes(owner: keras.Model, names: tuple[str, ...]) -> None:
    assert all(hasattr(owner, name) for name in names)


def test_adam_has_its_moments() -> None:
    optimizer = keras.optimizers.Adam()
    optimizer.build([keras.Variable([1.0, 2.0])])
    ((first, second),) = keras_graph.moments(optimizer)
    assert first.shape == second.shape == (2,)


def test_no_other_module_reads_one() -> None:
    read = re.compile(rf"\.({'|'.join(KERAS_PRIVATE)}|_keras_history|_inbound_nodes)\b")
    readers = {path.name for path in (ROOT / "cae").rglob("*.py") if read.search(path.read_text())}
    assert readers == {"keras_graph.py"}


def test_a_shared_model_is_unfolded_once_for_every_use() -> None:
    half = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    image = keras.Input((3,))
    graph = keras_graph.read_graph(keras.Model(image, keras.layers.Add()([half(image), half(half(image))])))
    kinds = [type(call.operation).__name__ for call in graph.calls]
    assert sorted(kinds) == ["Add", "Dense", "Dense", "Dense"]
    numbers = [number for call in graph.calls for number in call.outputs]
    assert len(set(numbers)) == len(numbers)
