"""A Keras network as a function that is differentiable, exact and fast: the same variables, other arithmetic.

Upsampling, a convolution, its ReLU and the pooling behind it become one operation in C (`convolutions`);
dense layers and activations run in the arithmetic of `exact`. Layers that this module does not know run as
Keras runs them: then only the machine's own bits are promised.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from cae.engine import exact, keras_graph
from cae.engine.convolutions import convolve
from cae.engine.keras_graph import Call, Graph
from cae.engine.operations import operations

Activation = Callable[[tf.Tensor], tf.Tensor]
EXACT: dict[Any, Activation] = {
    keras.activations.gelu: exact.gelu,
    keras.activations.linear: tf.identity,
    keras.activations.relu: tf.nn.relu,
    keras.activations.sigmoid: exact.sigmoid,
    keras.activations.tanh: exact.tanh,
}
WITH_ACTIVATION = (keras.layers.Conv2D, keras.layers.Dense, keras.layers.Activation)


class Forward(NamedTuple):
    """A network in training."""

    # float32 (N, …), a list where the network has several inputs → its outputs, likewise.
    run: Callable[[Any], Any]
    # Whether the network ends in a sigmoid, which `run` leaves out.
    gives_logits: bool


class Block(NamedTuple):
    """Some calls of the network as one function of numbered tensors."""

    run: Callable[[dict[int, Any]], list[Any]]
    outputs: list[int]


def check(network: keras.Model) -> None:
    """Raise ValueError where a network has what training here would leave out."""
    left_out = {
        "regularizers": network.losses or keras_graph.has_activity_regularizer(network),
        "constraints": any(variable.constraint for variable in network.trainable_variables),
        "frozen weights, Dropout or BatchNormalization": network.non_trainable_variables,
    }
    for name, present in left_out.items():
        if present:
            raise ValueError(f"Training here knows no {name}: take them out of the network.")


def build(network: keras.Model, fast: bool) -> Forward:
    """Return a network as a function.

    Args:
        network: built; what `check` refuses must not be in it.
        fast: compute in the arithmetic of `exact`; otherwise every layer runs as Keras runs it.
    """
    if not keras_graph.is_graph(network):
        return Forward(lambda inputs: network(inputs, training=True), gives_logits=False)
    graph = keras_graph.read_graph(network)
    gives_logits = len(graph.outputs) == 1 and ends_in_sigmoid(graph.calls[-1])
    blocks = list(build_blocks(graph, gives_logits, fast))

    def run(inputs: Any) -> Any:
        values = dict(zip(graph.inputs, keras.tree.flatten(inputs), strict=True))
        for block in blocks:
            values |= zip(block.outputs, block.run(values), strict=True)
        outputs = [values[number] for number in graph.outputs]
        return outputs if len(outputs) > 1 else outputs[0]

    return Forward(run, gives_logits)


def ends_in_sigmoid(call: Call) -> bool:
    """Tell whether a network's last call applies a sigmoid that can be left out."""
    layer = call.operation
    return (
        type(layer) in WITH_ACTIVATION
        and layer.activation is keras.activations.sigmoid
        and getattr(layer, "data_format", "channels_last") == "channels_last"
    )


def build_blocks(graph: Graph, gives_logits: bool, fast: bool) -> Iterator[Block]:
    """Make one block of [upsampling] convolution [pooling], and one of every other call."""
    makers = {output: call for call in graph.calls for output in call.outputs}
    uses = Counter(number for call in graph.calls for number in call.inputs.values())
    uses.update(graph.outputs)
    users = {number: call for call in graph.calls for number in call.inputs.values()}
    # An upsampling that nothing but a convolution needs becomes part of it.
    upsampled: dict[int, Call] = {
        call.outputs[0]: makers[number]
        for call in graph.calls
        if is_plain_convolution(call.operation)
        for number in call.inputs.values()
        if number in makers and uses[number] == 1 and repeats_pixels(makers[number].operation)
    }
    done = {number for call in upsampled.values() for number in call.outputs} if fast else set()
    for call in graph.calls:
        if call.outputs[0] in done:
            continue
        last = gives_logits and call is graph.calls[-1]
        layer = call.operation
        if fast and is_plain_convolution(layer):
            before = upsampled.get(call.outputs[0])
            after = users.get(call.outputs[0]) if uses[call.outputs[0]] == 1 else None
            pools = before is None and after is not None and can_pool(layer, after.operation)
            block = make_convolution_block(call, before, after if pools else None, last)
            done.update(block.outputs)
            yield block
        elif fast and is_plain_dense(layer):
            yield make_dense_block(call, last)
        elif fast and type(layer) is keras.layers.Activation and layer.activation in EXACT:
            yield make_block(call, tf.identity if last else EXACT[layer.activation])
        else:
            yield Block(leave_out_activation(call) if last else call.run, call.outputs)


def is_plain_convolution(layer: Any) -> bool:
    """Tell whether the operation in C computes this convolution."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
    )


def is_plain_dense(layer: Any) -> bool:
    """Tell whether `exact` computes this dense layer."""
    return (
        type(layer) is keras.layers.Dense and layer.compute_dtype == "float32" and layer.activation in EXACT
    )


def repeats_pixels(layer: Any) -> bool:
    """Tell whether this is an upsampling that the operation in C computes."""
    return (
        type(layer) is keras.layers.UpSampling2D
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
        and layer.size[0] == layer.size[1]
    )


def can_pool(convolution: keras.layers.Conv2D, layer: Any) -> bool:
    """Tell whether the operation in C computes this pooling behind a convolution."""
    return (
        type(layer) is keras.layers.MaxPooling2D
        and layer.data_format == "channels_last"
        and convolution.activation in (keras.activations.relu, keras.activations.linear)
    )


def make_block(call: Call, function: Activation) -> Block:
    """Make a block of a function of one tensor."""
    (number,) = call.inputs.values()
    return Block(lambda values: [function(values[number])], call.outputs)


def leave_out_activation(call: Call) -> Callable[[dict[int, Any]], list[Any]]:
    """Run the network's last layer up to its activation, as Keras does."""
    layer = call.operation

    def run(x: tf.Tensor) -> tf.Tensor:
        if isinstance(layer, keras.layers.Conv2D):
            x = layer.convolution_op(x, layer.kernel)
        elif isinstance(layer, keras.layers.Dense):
            x = keras.ops.matmul(x, layer.kernel)
        return x + layer.bias if getattr(layer, "use_bias", False) else x

    return make_block(call, run).run


def make_dense_block(call: Call, last: bool) -> Block:
    """Compute a dense layer; the network's last one without its sigmoid."""
    operations()
    layer = call.operation
    activation = tf.identity if last else EXACT[layer.activation]

    def run(x: tf.Tensor) -> tf.Tensor:
        rows = tf.reshape(x, (-1, x.shape[-1])) if len(x.shape) > 2 else x
        y = exact.dense(rows, layer.kernel, layer.bias if layer.use_bias else None)
        return tf.reshape(activation(y), (*x.shape[:-1], layer.units))

    return make_block(call, run)


def make_convolution_block(call: Call, before: Call | None, after: Call | None, last: bool) -> Block:
    """Fuse a convolution with the upsampling before it, its ReLU and the pooling behind it."""
    # Compiled now: what goes wrong while a graph is traced is told in TensorFlow's words.
    operations()
    layer = call.operation
    height, width, _, filters = layer.kernel.shape
    same = layer.padding == "same"
    padding = tuple(((size - 1) // 2, size // 2) if same else (0, 0) for size in (height, width))
    scale = before.operation.size[0] if before else 1
    pool = after.operation if after else None
    relu = layer.activation is keras.activations.relu
    activation = tf.identity if last or relu else EXACT.get(layer.activation, layer.activation)

    def run(x: tf.Tensor) -> tf.Tensor:
        bias = layer.bias if layer.use_bias else tf.zeros(filters)
        y = convolve(x, layer.kernel, bias, padding, scale, relu, pool)
        batch, rows, columns, channels = x.shape
        shape = layer.compute_output_shape((batch, scale * rows, scale * columns, channels))
        y.set_shape(shape if pool is None else pool.compute_output_shape(shape))
        return activation(y)

    return Block(make_block(before or call, run).run, (after or call).outputs)
