"""What this library knows of the inside of Keras: the calls that a network consists of, and Adam's moments.

No other module reads a private attribute of Keras; tests/engine/test_keras_graph.py names each of them.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras


class Call(NamedTuple):
    """One layer or operation of a network at work; tensors go by numbers."""

    operation: Any  # keras.Layer, or an operation of keras.ops
    arguments: Any  # Keras's own: which arguments are tensors of the network
    inputs: dict[int, int]  # the identity of each such tensor → its number
    outputs: list[int]

    def run(self, values: dict[int, Any]) -> list[Any]:
        """Run it as Keras does in training, on the values of its inputs by their numbers."""
        tensors = {identity: values[number] for identity, number in self.inputs.items()}
        args, kwargs = self.arguments.fill_in(tensors)
        if isinstance(self.operation, keras.Layer):
            kwargs["training"] = True
        return keras.tree.flatten(self.operation(*args, **kwargs))


class Graph(NamedTuple):
    """The calls of a network in an order that works."""

    inputs: list[int]
    calls: list[Call]
    outputs: list[int]


def read_graph(network: keras.Model) -> Graph:
    """Return the calls of a Sequential or functional network; those of models inside it are its own."""
    numbers = itertools.count()
    inputs = [next(numbers) for _ in network.inputs]
    calls: list[Call] = []
    outputs = unfold(network, inputs, numbers, calls)
    return Graph(inputs, calls, outputs)


def unfold(
    network: keras.Model, inputs: Sequence[int], numbers: Iterator[int], calls: list[Call]
) -> list[int]:
    """Append the calls of a network to `calls`, new tensors taking the next numbers; return its outputs."""
    functional = network._functional if isinstance(network, keras.Sequential) else network
    known = {id(tensor): number for tensor, number in zip(functional.inputs, inputs, strict=True)}
    nodes = functional._nodes_by_depth
    for node in (node for depth in sorted(nodes, reverse=True) for node in nodes[depth]):
        if node.is_input:
            continue
        given = {id(tensor): known[id(tensor)] for tensor in node.arguments.keras_tensors}
        if is_graph(node.operation):
            results = unfold(node.operation, list(given.values()), numbers, calls)
        else:
            results = [next(numbers) for _ in node.outputs]
            calls.append(Call(node.operation, node.arguments, given, results))
        known |= {id(tensor): number for tensor, number in zip(node.outputs, results, strict=True)}
    return [known[id(tensor)] for tensor in functional.outputs]


def is_graph(operation: Any) -> bool:
    """Tell whether this is a Sequential or a functional model: others do not say what they call."""
    return isinstance(operation, keras.Sequential) or hasattr(operation, "_nodes_by_depth")


def moments(optimizer: keras.optimizers.Adam) -> Iterator[tuple[keras.Variable, keras.Variable]]:
    """Give both moments that Adam keeps of each variable, in the order of the variables."""
    return zip(optimizer._momentums, optimizer._velocities, strict=True)


def has_activity_regularizer(network: keras.Model) -> bool:
    """Tell whether any layer, in models inside the network too, has a penalty on what it gives."""
    return any(getattr(layer, "activity_regularizer", None) for layer in network._flatten_layers())
