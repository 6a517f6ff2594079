"""The CPU-fast twin of a Keras Sequential: the same variables, the same function, faster gradients.

Layers are grouped, and each group computed in the form of `cae.convolutions` that suits its shape.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import keras
import tensorflow as tf

from cae.convolutions import THIN, by_phase, convolve, convolve_transposed, widened


@dataclass(frozen=True)
class Block:
    """Some layers of the model as one function.

    Attributes:
        prepare: gives the weights as the function wants them; once a step, not once a shard.
        apply: (inputs, weights) -> outputs, both float32 (N, ...).
    """

    prepare: Callable[[], list[tf.Tensor]]
    apply: Callable[[tf.Tensor, list[tf.Tensor]], tf.Tensor]


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
        )
        self._blocks = list(_blocks(list(model.layers), self.gives_logits))

    def prepare(self) -> list[list[tf.Tensor]]:
        """Return the weights for ``__call__``, made from the variables as they are now."""
        return [block.prepare() for block in self._blocks]

    def __call__(self, images: tf.Tensor, weights: list[list[tf.Tensor]] | None = None) -> tf.Tensor:
        """Run the model in training mode.

        Args:
            images: float32 (N, ...), the model's input.
            weights: from ``prepare``.

        Returns:
            float32 (N, ...): the logits where ``gives_logits``, otherwise the model's output.
        """
        for block, own in zip(self._blocks, self.prepare() if weights is None else weights, strict=True):
            images = block.apply(images, own)
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
            yield Block(partial(_values, layer), partial(_without_activation, layer))
        else:
            yield Block(partial(_values, layer), partial(_as_it_is, layer))


def _values(layer: keras.Layer) -> list[tf.Variable]:
    return [variable.value for variable in layer.trainable_variables]


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


def _as_it_is(layer: keras.Layer, x: tf.Tensor, _: list[tf.Tensor]) -> tf.Tensor:
    return layer(x, training=True)


def _without_activation(layer: keras.Layer, x: tf.Tensor, _: list[tf.Tensor]) -> tf.Tensor:
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
    pool: keras.Layer | None,
) -> Block:
    """Choose the form for a convolution of an image upsampled by ``scale``."""
    height, width, channels, filters = layer.kernel.shape
    same = layer.padding == "same"
    padding = tuple(((size - 1) // 2, size // 2) if same else (0, 0) for size in (height, width))
    relu = activation is keras.activations.relu
    # What is left to do after the convolution, which does ReLU itself.
    activate = (lambda y: y) if relu or activation is keras.activations.linear else activation
    patch = (height + scale - 1) * (width + scale - 1) * filters
    thin = pool is None and patch <= THIN and filters < channels

    def prepare() -> list[tf.Tensor]:
        kernel = tf.convert_to_tensor(layer.kernel)
        bias = tf.convert_to_tensor(layer.bias) if layer.use_bias else tf.zeros(filters)
        if thin:
            return [widened(kernel, scale), bias]
        return [kernel, bias] if scale == 1 else [by_phase(kernel, scale), tf.tile(bias, [scale * scale])]

    def apply(x: tf.Tensor, weights: list[tf.Tensor]) -> tf.Tensor:
        kernel, bias = weights
        if thin:
            y = convolve_transposed(x, kernel, bias, scale, padding)
            return activate(tf.nn.relu(y) if relu else y)
        if scale == 1:
            return activate(convolve(x, kernel, bias, padding, relu, pool))
        # Whole small pixels are padded; what that adds beyond the padding asked for is cut off again.
        around, cut, sides = [], [], []
        for small, size, taps, (before, after) in zip(
            x.shape[1:3], (height, width), kernel.shape[:2], padding, strict=True
        ):
            whole = -(-before // scale)
            cut.append(scale * whole - before)
            sides.append(scale * small + before + after - size + 1)
            around.append((whole, taps - 1 - (size - 1 - after) // scale))
        y = tf.nn.depth_to_space(convolve(x, kernel, bias, tuple(around), relu, None), scale)
        return activate(tf.slice(y, [0, *cut, 0], [-1, *sides, filters]))

    return Block(prepare, apply)
