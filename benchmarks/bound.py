"""The arithmetic bound: how fast an epoch could be if the processor did nothing but multiply and add."""

import math

import keras

from cae.engine import keras_graph
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
    total = 0
    # Tensors that depend on weights: only their gradients are needed.
    learned: set[int] = set()
    for call in keras_graph.read_graph(autoencoder.network).calls:
        layer, inputs = call.operation, set(call.inputs.values())
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            total += forward(layer) * (3 if inputs & learned else 2)
        if inputs & learned or getattr(layer, "weights", None):
            learned.update(call.outputs)
    return total


def forward(layer: keras.Layer) -> int:
    """Count the operations of one image's forward pass: all of the kernel once a pixel, or once in all."""
    return 2 * int(keras.ops.size(layer.kernel)) * math.prod(layer.output.shape[1:-1])
