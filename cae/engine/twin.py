"""The CPU-fast twin of a Keras network: the same variables, the same function, computed faster.

Upsampling, a convolution, its ReLU and the pooling behind it become one operation of
`cae.engine.convolutions`.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from cae.engine.convolutions import convolve
from cae.engine.operations import operations

Block = Callable[[tf.Tensor], tf.Tensor]
"""Some layers of the model as one function, float32 (N, ...) → (N, ...)."""


class Twin:
    """A built network as a function over the network's own variables, with the same gradients.

    Plain chains of layers are computed faster: on a machine with a GPU, without `fast`, for layers it does
    not know and for networks with branches, the layers run as they are.

    Attributes:
        variables: the trainable variables of the network, in its order.
        gives_logits: whether the network ends in a sigmoid, which the twin leaves out.

    Raises:
        ValueError: the network has what a twin would leave out: regularizers, constraints, frozen weights,
            or layers that train otherwise than they predict (Dropout, BatchNormalization).
    """

    def __init__(self, network: keras.Model, fast: bool = True) -> None:
        layers = chain(network)
        left_out = {
            "regularizers": network.losses
            or any(getattr(layer, "activity_regularizer", None) for layer in network._flatten_layers()),
            "constraints": any(variable.constraint for variable in network.trainable_variables),
            "frozen weights, Dropout or BatchNormalization": network.non_trainable_variables,
        }
        for name, present in left_out.items():
            if present:
                raise ValueError(f"A twin has no {name}: take them out of the network.")
        last = layers[-1]
        self.variables: list[keras.Variable] = list(network.trainable_variables)
        self.gives_logits = (
            type(last) in (keras.layers.Conv2D, keras.layers.Dense, keras.layers.Activation)
            and last.activation is keras.activations.sigmoid
            and getattr(last, "data_format", "channels_last") == "channels_last"
        )
        fuse = fast and not tf.config.list_physical_devices("GPU")
        self._blocks = list(blocks(layers, self.gives_logits, fuse))

    def __call__(self, inputs: Any) -> Any:
        """Run the network in training mode.

        Args:
            inputs: float32 (N, ...), the network's input; a list where it has several.

        Returns:
            float32 (N, ...): the logits where `gives_logits`, otherwise the network's output, or outputs.
        """
        for block in self._blocks:
            inputs = block(inputs)
        return inputs


def chain(network: keras.Model) -> list[keras.Layer]:
    """Return layers that, run one after the other, are the network: no branch is lost.

    A Sequential is its layers, those of models inside it included. Of a network with branches only the last
    layer is taken off, so that its activation can be left out; the rest is one layer, run as it is.
    """
    if isinstance(network, keras.Sequential):
        return [inner for layer in network.layers for inner in within(layer)]
    outputs = getattr(network, "outputs", None) or []
    if len(outputs) != 1:
        return [network]
    last, node, _ = outputs[0]._keras_history
    inputs = last._inbound_nodes[node].arguments.keras_tensors
    # A layer with several inputs, such as a sum of two paths, has no activation to leave out.
    if len(inputs) != 1 or inputs[0] is outputs[0]:
        return [network]
    return [keras.Model(network.inputs, inputs[0]), *within(last)]


def within(layer: keras.Layer) -> list[keras.Layer]:
    """Return the chain of a model that is a layer of another one, and any other layer itself."""
    return chain(layer) if isinstance(layer, keras.Model) else [layer]


def blocks(layers: list[keras.Layer], gives_logits: bool, fuse: bool) -> Iterator[Block]:
    """Make one block of [upsampling] convolution [pooling]; any other layer is a block as it is."""
    while layers:
        layer, *layers = layers
        scale, pool = 1, None
        if fuse and layers and repeats_pixels(layer) and is_plain_convolution(layers[0]):
            scale = layer.size[0]
            layer, *layers = layers
        activation = getattr(layer, "activation", keras.activations.linear)
        if gives_logits and not layers:
            activation = keras.activations.linear
        if fuse and is_plain_convolution(layer):
            fused = activation in (keras.activations.relu, keras.activations.linear)
            if layers and scale == 1 and fused and is_pooling(layers[0]):
                pool, *layers = layers
            yield convolution_block(layer, scale, activation, pool)
        elif gives_logits and not layers:
            yield partial(without_activation, layer)
        else:
            yield partial(as_it_is, layer)


def is_plain_convolution(layer: keras.Layer) -> bool:
    """Tell whether the operation in C computes this convolution."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
    )


def repeats_pixels(layer: keras.Layer) -> bool:
    """Tell whether this is an upsampling that the operation in C computes."""
    return (
        type(layer) is keras.layers.UpSampling2D
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
        and layer.size[0] == layer.size[1]
    )


def is_pooling(layer: keras.Layer) -> bool:
    """Tell whether this is a pooling that the operation in C computes."""
    return type(layer) is keras.layers.MaxPooling2D and layer.data_format == "channels_last"


def as_it_is(layer: keras.Layer, x: tf.Tensor) -> tf.Tensor:
    """Run a layer as Keras does."""
    return layer(x, training=True)


def without_activation(layer: keras.Layer, x: tf.Tensor) -> tf.Tensor:
    """Run the model's last layer up to its activation."""
    if isinstance(layer, keras.layers.Conv2D):
        x = layer.convolution_op(x, layer.kernel)
    elif isinstance(layer, keras.layers.Dense):
        x = keras.ops.matmul(x, layer.kernel)
    return x + layer.bias if getattr(layer, "use_bias", False) else x


def convolution_block(
    layer: keras.layers.Conv2D,
    scale: int,
    activation: Callable[[tf.Tensor], tf.Tensor],
    pool: keras.layers.MaxPooling2D | None,
) -> Block:
    """Fuse a convolution with the upsampling before it, its ReLU and the pooling behind it."""
    # Compiled now: what goes wrong while a graph is traced is told in TensorFlow's words.
    operations()
    height, width, _, filters = layer.kernel.shape
    same = layer.padding == "same"
    padding = tuple(((size - 1) // 2, size // 2) if same else (0, 0) for size in (height, width))
    relu = activation is keras.activations.relu

    def block(x: tf.Tensor) -> tf.Tensor:
        bias = layer.bias if layer.use_bias else tf.zeros(filters)
        y = convolve(x, layer.kernel, bias, padding, scale, relu, pool)
        batch, rows, columns, channels = x.shape
        shape = layer.compute_output_shape((batch, scale * rows, scale * columns, channels))
        y.set_shape(shape if pool is None else pool.compute_output_shape(shape))
        return y if relu else activation(y)

    return block
