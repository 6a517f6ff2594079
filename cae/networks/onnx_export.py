"""Convert a Keras model to ONNX; the bytes depend on the model alone."""

import json
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

# The version of ONNX's operators that introduced Erf.
ERF_SINCE = 9


def import_onnx() -> ModuleType:
    """Import and return `onnx`; UserError unless it and tf2onnx, which Keras exports with, are installed."""
    handler = import_extra("tf2onnx.handler", "ONNX", "onnx")
    handler.tf_op("Erfc").register_compat_handler(convert_erfc, ERF_SINCE)
    return import_extra("onnx", "ONNX", "onnx")


def convert_erfc(graph: Any, node: Any, **_: Any) -> None:
    """Write 1 − Erf for TensorFlow's Erfc, which Keras's gelu uses and tf2onnx does not know."""
    one = graph.make_const(f"{node.name}_one", np.array(1, np.float32))
    erf = graph.make_node("Erf", list(node.input))
    graph.remove_node(node.name)
    inputs, outputs = [one.output[0], erf.output[0]], list(node.output)
    graph.make_node("Sub", inputs, name=node.name, outputs=outputs)


def convert(model: keras.Model, metadata: Mapping[str, Any]) -> bytes:
    """Convert a model with one input to ONNX, for any number of images at once, with `metadata`.

    Raises:
        UserError: a package is missing, or the model has an operation that ONNX does not have.
    """
    onnx = import_onnx()
    (pixels,) = model.inputs
    signature = [keras.InputSpec(shape=pixels.shape, dtype=pixels.dtype, name=pixels.name)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Keras warns about the age of tf2onnx, which users cannot change.
        warnings.simplefilter("ignore")
        path = str(Path(folder) / "model.onnx")
        model.export(path, format="onnx", verbose=False, input_signature=signature)
        converted = onnx.load(path)
    try:
        onnx.checker.check_model(converted)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"the network cannot be written as ONNX ({reason}): export it as .keras") from error
    sort_nodes(converted.graph)
    rename_tensors(converted.graph)
    converted.graph.name, converted.graph.doc_string = model.name, ""
    for value in (*converted.graph.input, *converted.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "images"
    onnx.helper.set_model_props(converted, {name: json.dumps(value) for name, value in metadata.items()})
    content: bytes = converted.SerializeToString(deterministic=True)
    return content


def sort_nodes(graph: Any) -> None:
    """Sort nodes in the order in which the outputs need them: tf2onnx's order is that of a hash table."""
    makers = {tensor: node for node in graph.node for tensor in node.output}
    positions: dict[str, int] = {}

    def visit(tensor: str) -> None:
        node = makers.get(tensor)
        if node is not None and node.name not in positions:
            for needed in node.input:
                visit(needed)
            positions[node.name] = len(positions)

    for value in graph.output:
        visit(value.name)
    graph.node.sort(key=lambda node: positions[node.name])


def rename_tensors(graph: Any) -> None:
    """Name inner nodes and tensors by their position: TensorFlow and tf2onnx count through the process."""
    kept = {value.name for value in (*graph.input, *graph.output)}
    numbers = {"": ""}

    def rename(tensor: str) -> str:
        return tensor if tensor in kept else numbers.setdefault(tensor, str(len(numbers)))

    for position, node in enumerate(graph.node):
        node.name = f"{position}_{node.op_type}"
        node.input[:] = map(rename, list(node.input))
        node.output[:] = map(rename, list(node.output))
    for constant in graph.initializer:
        constant.name = rename(constant.name)
    graph.initializer.sort(key=lambda constant: int(constant.name))
