"""A Keras model as an ONNX graph, whose bytes depend on the model alone."""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np

from cae.core.errors import UserError
from cae.datasets.safety import import_extra

# The version of ONNX's operations that brought Erf.
ERF_SINCE = 9


def packages() -> ModuleType:
    """Return the module `onnx`; UserError unless it and what Keras writes ONNX with are installed."""
    handler = import_extra("tf2onnx.handler", "ONNX", "onnx")
    handler.tf_op("Erfc").register_compat_handler(complement, ERF_SINCE)
    return import_extra("onnx", "ONNX", "onnx")


def complement(graph: Any, node: Any, **_: Any) -> None:
    """Write 1 − Erf where TensorFlow has Erfc, as in Keras's gelu: ONNX and tf2onnx have none."""
    one = graph.make_const(f"{node.name}_one", np.array(1, np.float32))
    error = graph.make_node("Erf", list(node.input))
    graph.remove_node(node.name)
    inputs, outputs = [one.output[0], error.output[0]], list(node.output)
    graph.make_node("Sub", inputs, name=node.name, outputs=outputs)


def written(model: keras.Model, metadata: Mapping[str, float]) -> bytes:
    """Return a model of one input as ONNX, for any number of pictures at once, with `metadata`.

    Raises:
        UserError: a package is missing, or the model does what ONNX cannot say.
    """
    onnx = packages()
    (pixels,) = model.inputs
    signature = [keras.InputSpec(shape=pixels.shape, dtype=pixels.dtype, name=pixels.name)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # What Keras has to do about the age of tf2onnx is not for who exports.
        warnings.simplefilter("ignore")
        path = str(Path(folder) / "model.onnx")
        model.export(path, format="onnx", verbose=False, input_signature=signature)
        whole = onnx.load(path)
    try:
        onnx.checker.check_model(whole)
    except onnx.checker.ValidationError as error:
        raise UserError(
            f"the network does what cannot be written as ONNX ({str(error).strip().splitlines()[0]}): export "
            "it as .keras"
        ) from error
    order(whole.graph)
    number(whole.graph)
    whole.graph.name, whole.graph.doc_string = model.name, ""
    for value in (*whole.graph.input, *whole.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "pictures"
    onnx.helper.set_model_props(whole, {name: repr(value) for name, value in metadata.items()})
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
