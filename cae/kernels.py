"""The CPU-fast twin of a Keras Sequential: the same variables, the same function, computed faster.

Upsampling, a convolution, its ReLU and the pooling behind it become one operation of `cae.convolutions`.
"""

from collections.abc import Callable, Iterator
from functools import partial

import keras
import tensorflow as tf

from cae.convolutions import convolve
from cae.native import operations

Block = Callable[[tf.Tensor], tf.Tensor]
"""Some layers of the model as one function, float32 (N, ...) -> (N, ...)."""


class Twin:
    """A built Sequential as a fast function over the model's own variables.

    On a machine with a GPU, and for layers it does not know, the layers run as they are.

    Attributes:
        variables: the trainable variables of the model, in its order.
        gives_logits: whether the model ends in a sigmoid, which the twin leaves out.

    Raises:
        ValueError: the model has what the twin would leave out: regularizers, constraints, frozen weights,
            or layers that train otherwise than they predict (Dropout, BatchNormalization).
    """

    def __init__(self, model: keras.Sequential) -> None:
        left_out = {
            "regularizers": model.losses
            or any(getattr(layer, "activity_regularizer", None) for layer in model.layers),
            "constraints": any(variable.constraint for variable in model.trainable_variables),
            "frozen weights, Dropout or BatchNormalization": model.non_trainable_variables,
        }
        for name, found in left_out.items():
            if found:
                raise ValueError(f"A twin has no {name}: take them out of the model.")
        last = model.layers[-1]
        self.variables: list[keras.Variable] = list(model.trainable_variables)
        self.gives_logits = (
            isinstance(last, keras.layers.Conv2D | keras.layers.Dense | keras.layers.Activation)
            and last.activation is keras.activations.sigmoid
            and getattr(last, "data_format", "channels_last") == "channels_last"
        )
        self._blocks = list(_blocks(list(model.layers), self.gives_logits))

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Run the model in training mode.

        Args:
            images: float32 (N, ...), the model's input.

        Returns:
            float32 (N, ...): the logits where ``gives_logits``, otherwise the model's output.
        """
        for block in self._blocks:
            images = block(images)
        return images


def _blocks(layers: list[keras.Layer], gives_logits: bool) -> Iterator[Block]:
    """Make one block of [upsampling] convolution [pooling]; any other layer is a block as it is."""
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    while layers:
        layer, *layers = layers
        scale, pool = 1, None
        if not on_gpu and layers and _repeats_pixels(layer) and _is_plain_convolution(layers[0]):
            scale = layer.size[0]
            layer, *layers = layers
        activation = getattr(layer, "activation", keras.activations.linear)
        if gives_logits and not layers:
            activation = keras.activations.linear
        if not on_gpu and _is_plain_convolution(layer):
            fused = activation in (keras.activations.relu, keras.activations.linear)
            if layers and scale == 1 and fused and _is_pooling(layers[0]):
                pool, *layers = layers
            yield _convolution_block(layer, scale, activation, pool)
        elif gives_logits and not layers:
            yield partial(_without_activation, layer)
        else:
            yield partial(_as_it_is, layer)


def _is_plain_convolution(layer: keras.Layer) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.compute_dtype == "float32"
    )


def _repeats_pixels(layer: keras.Layer) -> bool:
    return (
        type(layer) is keras.layers.UpSampling2D
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
        and layer.size[0] == layer.size[1]
    )


def _is_pooling(layer: keras.Layer) -> bool:
    return type(layer) is keras.layers.MaxPooling2D and layer.data_format == "channels_last"


def _as_it_is(layer: keras.Layer, x: tf.Tensor) -> tf.Tensor:
    return layer(x, training=True)


def _without_activation(layer: keras.Layer, x: tf.Tensor) -> tf.Tensor:
    """Run the model's last layer up to its activation."""
    if isinstance(layer, keras.layers.Conv2D):
        x = layer.convolution_op(x, layer.kernel)
    elif isinstance(layer, keras.layers.Dense):
        x = keras.ops.matmul(x, layer.kernel)
    return x + layer.bias if getattr(layer, "use_bias", False) else x


def _convolution_block(
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
