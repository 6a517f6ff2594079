"""A Keras network as a function: the same variables, computed faster and with the same bits everywhere.

An upsampling, a convolution, its ReLU and the pooling after it become one operation in C (`convolutions`).
Dense layers and activations are computed by `exact`. All other layers run as Keras runs them; their results
are the same only on the same machine.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from cae.engine import exact, keras_graph
from cae.engine.convolutions import convolve
from cae.engine.keras_graph import Call, Graph
from cae.engine.operations import load_operations

Activation = Callable[[tf.Tensor], tf.Tensor]
# Keras's activations and the functions that compute them here.
EXACT: dict[Any, Activation] = {
    keras.activations.gelu: exact.gelu,
    keras.activations.linear: tf.identity,
    keras.activations.relu: tf.nn.relu,
    keras.activations.sigmoid: exact.sigmoid,
    keras.activations.tanh: exact.tanh,
}
LAYERS_WITH_ACTIVATION = (keras.layers.Conv2D, keras.layers.Dense, keras.layers.Activation)


class Forward(NamedTuple):
    """A network as a function."""

    # Input float32 (N, ...) → output, each a list where the network has several.
    run: Callable[[Any], Any]
    # Whether the network ends in a sigmoid, which `run` leaves out.
    gives_logits: bool


class Block(NamedTuple):
    """Some calls of the network as one function of numbered tensors."""

    # All tensors by their numbers → the outputs of the block.
    run: Callable[[dict[int, Any]], list[Any]]
    outputs: list[int]


def check(network: keras.Model) -> None:
    """Raise ValueError if a network has something that training would ignore."""
    ignored = {
        "regularizers": network.losses or keras_graph.has_activity_regularizer(network),
        "constraints": any(variable.constraint for variable in network.trainable_variables),
        "frozen weights, Dropout or BatchNormalization": network.non_trainable_variables,
    }
    for name, is_present in ignored.items():
        if is_present:
            raise ValueError(f"Training here does not support {name}: remove them from the network.")


def build(network: keras.Model, fast: bool) -> Forward:
    """Return a network as a function.

    Args:
        network: built, and without what `check` refuses.
        fast: compute with the operations in C; otherwise every layer runs as Keras runs it.
    """
    if not keras_graph.is_graph(network):
        return Forward(lambda inputs: network(inputs, training=True), gives_logits=False)
    graph = keras_graph.read_graph(network)
    gives_logits = len(graph.outputs) == 1 and ends_in_sigmoid(graph.calls[-1])
    blocks = list(build_blocks(graph, gives_logits) if fast else build_stock_blocks(graph, gives_logits))

    def run(inputs: Any) -> Any:
        values = dict(zip(graph.inputs, keras.tree.flatten(inputs), strict=True))
        for block in blocks:
            values |= zip(block.outputs, block.run(values), strict=True)
        outputs = [values[number] for number in graph.outputs]
        return outputs if len(outputs) > 1 else outputs[0]

    return Forward(run, gives_logits)


def ends_in_sigmoid(call: Call) -> bool:
    """Return whether a network's last call applies a sigmoid that can be left out."""
    layer = call.operation
    return (
        type(layer) in LAYERS_WITH_ACTIVATION
        and layer.activation is keras.activations.sigmoid
        and getattr(layer, "data_format", "channels_last") == "channels_last"
    )


def build_stock_blocks(graph: Graph, gives_logits: bool) -> Iterator[Block]:
    """Build a block for every call, which runs as Keras runs it."""
    for call in graph.calls:
        yield build_stock_block(call, is_last=gives_logits and call is graph.calls[-1])


def build_blocks(graph: Graph, gives_logits: bool) -> Iterator[Block]:
    """Build a block for every [upsampling] convolution [pooling], and one for every other call."""
    producers = {output: call for call in graph.calls for output in call.outputs}
    consumers = {number: call for call in graph.calls for number in call.inputs.values()}
    uses = Counter(number for call in graph.calls for number in call.inputs.values())
    uses.update(graph.outputs)
    # Convolution → an upsampling that nothing else uses: it becomes part of the convolution.
    upsamplings: dict[int, Call] = {
        call.outputs[0]: producers[number]
        for call in graph.calls
        if is_plain_convolution(call.operation)
        for number in call.inputs.values()
        if number in producers and uses[number] == 1 and is_plain_upsampling(producers[number].operation)
    }
    done = {number for call in upsamplings.values() for number in call.outputs}
    for call in graph.calls:
        if call.outputs[0] in done:
            continue
        is_last = gives_logits and call is graph.calls[-1]
        layer = call.operation
        if is_plain_convolution(layer):
            before = upsamplings.get(call.outputs[0])
            after = consumers.get(call.outputs[0]) if uses[call.outputs[0]] == 1 else None
            pools = before is None and after is not None and can_pool(layer, after.operation)
            block = build_convolution_block(call, before, after if pools else None, is_last)
            done.update(block.outputs)
            yield block
        elif is_plain_pooling(layer):
            yield build_pooling_block(call)
        elif is_plain_dense(layer):
            yield build_dense_block(call, is_last)
        elif type(layer) is keras.layers.Activation and layer.activation in EXACT:
            yield build_block(call, tf.identity if is_last else EXACT[layer.activation])
        else:
            yield build_stock_block(call, is_last)


def is_plain_convolution(layer: Any) -> bool:
    """Return whether the operation in C computes this convolution."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
    )


def is_plain_dense(layer: Any) -> bool:
    """Return whether `exact` computes this dense layer."""
    return (
        type(layer) is keras.layers.Dense and layer.compute_dtype == "float32" and layer.activation in EXACT
    )


def is_plain_upsampling(layer: Any) -> bool:
    """Return whether the operation in C computes this upsampling before a convolution."""
    return (
        type(layer) is keras.layers.UpSampling2D
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
        and layer.size[0] == layer.size[1]
    )


def can_pool(convolution: keras.layers.Conv2D, layer: Any) -> bool:
    """Return whether the operation in C computes this pooling after a convolution."""
    return (
        type(layer) is keras.layers.MaxPooling2D
        and layer.data_format == "channels_last"
        and convolution.activation in (keras.activations.relu, keras.activations.linear)
    )


def is_plain_pooling(layer: Any) -> bool:
    """Return whether the operation in C computes this pooling, behind a convolution."""
    return (
        type(layer) is keras.layers.MaxPooling2D
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
    )


def build_block(call: Call, function: Activation) -> Block:
    """Build a block from a function of one tensor."""
    (number,) = call.inputs.values()
    return Block(lambda values: [function(values[number])], call.outputs)


def build_stock_block(call: Call, is_last: bool) -> Block:
    """Build a block of one call as Keras runs it, the network's last one without its sigmoid."""
    if not is_last:
        return Block(call.run, call.outputs)
    layer = call.operation

    def run(x: tf.Tensor) -> tf.Tensor:
        if isinstance(layer, keras.layers.Conv2D):
            x = layer.convolution_op(x, layer.kernel)
        elif isinstance(layer, keras.layers.Dense):
            x = keras.ops.matmul(x, layer.kernel)
        return x + layer.bias if getattr(layer, "use_bias", False) else x

    return build_block(call, run)


def build_dense_block(call: Call, is_last: bool) -> Block:
    """Build the block of a dense layer, the network's last one without its sigmoid."""
    load_operations()
    layer = call.operation
    activation = tf.identity if is_last else EXACT[layer.activation]

    def run(x: tf.Tensor) -> tf.Tensor:
        rows = tf.reshape(x, (-1, x.shape[-1])) if len(x.shape) > 2 else x
        y = exact.dense(rows, layer.kernel, layer.bias if layer.use_bias else None)
        return tf.reshape(activation(y), (*x.shape[:-1], layer.units))

    return build_block(call, run)


def build_pooling_block(call: Call) -> Block:
    """Build the block of a pooling that is not behind a convolution of its own.

    It is computed behind a convolution that copies its input: each output is one of the inputs, times 1.
    """
    load_operations()
    layer = call.operation

    def run(x: tf.Tensor) -> tf.Tensor:
        channels = x.shape[-1]
        kernel = tf.reshape(tf.eye(channels), (1, 1, channels, channels))
        y = convolve(x, kernel, tf.zeros(channels), ((0, 0), (0, 0)), 1, False, layer)
        y.set_shape(layer.compute_output_shape(x.shape))
        return y

    return build_block(call, run)


def build_convolution_block(call: Call, before: Call | None, after: Call | None, is_last: bool) -> Block:
    """Build the block of a convolution, the upsampling before it and the pooling after it, if any."""
    # Compiled here, because TensorFlow would wrap the error of a compiler while it traces a graph.
    load_operations()
    layer = call.operation
    height, width, _, filters = layer.kernel.shape
    same = layer.padding == "same"
    padding = tuple(((size - 1) // 2, size // 2) if same else (0, 0) for size in (height, width))
    scale = before.operation.size[0] if before else 1
    pool = after.operation if after else None
    relu = layer.activation is keras.activations.relu
    activation = tf.identity if is_last or relu else EXACT.get(layer.activation, layer.activation)

    def run(x: tf.Tensor) -> tf.Tensor:
        bias = layer.bias if layer.use_bias else tf.zeros(filters)
        y = convolve(x, layer.kernel, bias, padding, scale, relu, pool)
        batch, rows, columns, channels = x.shape
        shape = layer.compute_output_shape((batch, scale * rows, scale * columns, channels))
        y.set_shape(shape if pool is None else pool.compute_output_shape(shape))
        return activation(y)

    return Block(build_block(before or call, run).run, (after or call).outputs)
