"""The arithmetic bound: how fast an epoch could be if the processor did nothing but multiply and add."""

import math

import keras

from cae.networks.autoencoder import Autoencoder


def operations(autoencoder: Autoencoder) -> int:
    """Count the floating-point operations that training takes for one image, at their stock cost.

    The forward pass takes for a convolution with kernel h × w, from C to D channels, onto H × W pixels
        2·h·w·C·D·H·W
    and for a dense layer from M to N numbers
        2·M·N;
    the gradient of its kernel takes as much, and so does the gradient of its input, which layers that see
    the image itself do not need. Everything else is small beside it.
    """
    encoding, decoding = multiplying(autoencoder.encoder), multiplying(autoencoder.decoder)
    seeing = [layer for layer in encoding if not is_learned(layer.input)]
    return 3 * sum(map(forward, encoding + decoding)) - sum(map(forward, seeing))


def multiplying(half: keras.Model) -> list[keras.Layer]:
    """List the layers that multiply by a kernel."""
    return [layer for layer in half.layers if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense))]


def forward(layer: keras.Layer) -> int:
    """Count the operations of one image's forward pass: all of the kernel once a pixel, or once in all."""
    return 2 * int(keras.ops.size(layer.kernel)) * math.prod(layer.output.shape[1:-1])


def is_learned(tensor: keras.KerasTensor) -> bool:
    """Tell whether a tensor depends on weights: only then is its gradient needed."""
    layer, node, _ = tensor._keras_history
    return bool(layer.weights) or any(map(is_learned, layer._inbound_nodes[node].input_tensors))
