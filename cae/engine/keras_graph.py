"""The private parts of Keras that this library reads: the calls of a network, and Adam's moments.

No other module reads a private attribute of Keras.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras


class Call(NamedTuple):
    """One call of a layer or operation in a network, whose tensors are numbered."""

    operation: Any  # keras.Layer, or an operation of keras.ops
    arguments: Any  # of Keras: knows which arguments are tensors of the network
    inputs: dict[int, int]  # id of each of those tensors → its number
    outputs: list[int]

    def run(self, values: dict[int, Any]) -> list[Any]:
        """Run it as Keras does in training; `values` are the tensors by their numbers."""
        tensors = {identity: values[number] for identity, number in self.inputs.items()}
        args, kwargs = self.arguments.fill_in(tensors)
        if isinstance(self.operation, keras.Layer):
            kwargs["training"] = True
        return keras.tree.flatten(self.operation(*args, **kwargs))


class Graph(NamedTuple):
    """The calls of a network, each after those whose outputs it needs."""

    inputs: list[int]
    calls: list[Call]
    outputs: list[int]


def read_graph(network: keras.Model) -> Graph:
    """Return the calls of a Sequential or functional network, including those of such models inside it."""
    numbers = itertools.count()
    inputs = [next(numbers) for _ in network.inputs]
    calls: list[Call] = []
    outputs = append_calls(network, inputs, numbers, calls)
    return Graph(inputs, calls, outputs)


def append_calls(
    network: keras.Model, inputs: Sequence[int], numbers: Iterator[int], calls: list[Call]
) -> list[int]:
    """Append the calls of a network to `calls`; return the numbers of its outputs.

    `inputs` are the numbers of the network's inputs; new tensors get the next ones of `numbers`.
    """
    functional = network._functional if isinstance(network, keras.Sequential) else network
    known = {id(tensor): number for tensor, number in zip(functional.inputs, inputs, strict=True)}
    nodes = functional._nodes_by_depth
    for node in (node for depth in sorted(nodes, reverse=True) for node in nodes[depth]):
        if node.is_input:
            continue
        given = {id(tensor): known[id(tensor)] for tensor in node.arguments.keras_tensors}
        if is_graph(node.operation):
            results = append_calls(node.operation, list(given.values()), numbers, calls)
        else:
            results = [next(numbers) for _ in node.outputs]
            calls.append(Call(node.operation, node.arguments, given, results))
        known |= {id(tensor): number for tensor, number in zip(node.outputs, results, strict=True)}
    return [known[id(tensor)] for tensor in functional.outputs]


def is_graph(operation: Any) -> bool:
    """Return whether this is a Sequential or functional model; no other model lists its calls."""
    return isinstance(operation, keras.Sequential) or hasattr(operation, "_nodes_by_depth")


def get_moments(optimizer: keras.optimizers.Adam) -> Iterator[tuple[keras.Variable, keras.Variable]]:
    """Yield the two moments that Adam keeps of each variable, in the order of the variables."""
    return zip(optimizer._momentums, optimizer._velocities, strict=True)


def has_activity_regularizer(network: keras.Model) -> bool:
    """Return whether any layer has an activity regularizer, also in models inside the network."""
    return any(getattr(layer, "activity_regularizer", None) for layer in network._flatten_layers())
