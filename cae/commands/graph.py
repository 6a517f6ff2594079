"""A Keras model as an ONNX graph, whose bytes depend on the model alone."""

import tempfile
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import keras

from cae.sources.guards import extra


def packages() -> ModuleType:
    """Return the module `onnx`; UserError unless it and what Keras writes ONNX with are installed."""
    extra("tf2onnx", "ONNX", "onnx")
    return extra("onnx", "ONNX", "onnx")


def written(model: keras.Model) -> bytes:
    """Return a model of one input as ONNX, for any number of pictures at once; raises as `packages`."""
    onnx = packages()
    (pixels,) = model.inputs
    signature = [keras.InputSpec(shape=pixels.shape, dtype=pixels.dtype, name=pixels.name)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # What Keras has to do about the age of tf2onnx is not for who exports.
        warnings.simplefilter("ignore")
        path = str(Path(folder) / "model.onnx")
        model.export(path, format="onnx", verbose=False, input_signature=signature)
        whole = onnx.load(path)
    order(whole.graph)
    number(whole.graph)
    whole.graph.name, whole.graph.doc_string = model.name, ""
    for value in (*whole.graph.input, *whole.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "pictures"
    return whole.SerializeToString(deterministic=True)


def order(graph: Any) -> None:
    """Sort nodes as the outputs ask for them: tf2onnx leaves them in the order of a hash table."""
    makers = {tensor: node for node in graph.node for tensor in node.output}
    places: dict[str, int] = {}

    def ask(tensor: str) -> None:
        node = makers.get(tensor)
        if node is not None and node.name not in places:
            for needed in node.input:
                ask(needed)
            places[node.name] = len(places)

    for value in graph.output:
        ask(value.name)
    graph.node.sort(key=lambda node: places[node.name])


def number(graph: Any) -> None:
    """Name what is inside by its place: TensorFlow and tf2onnx count through all that a process made."""
    kept = {value.name for value in (*graph.input, *graph.output)}
    numbers = {"": ""}

    def numbered(tensor: str) -> str:
        return tensor if tensor in kept else numbers.setdefault(tensor, str(len(numbers)))

    for place, node in enumerate(graph.node):
        node.name = f"{place}_{node.op_type}"
        node.input[:] = map(numbered, list(node.input))
        node.output[:] = map(numbered, list(node.output))
    for constant in graph.initializer:
        constant.name = numbered(constant.name)
    graph.initializer.sort(key=lambda constant: int(constant.name))
