"""The arithmetic bound: how fast an epoch could be if the processor did nothing but multiply and add."""

import keras


def operations(network: keras.Sequential) -> int:
    """Count the floating-point operations that training takes for one image, at their stock cost.

    A convolution with kernel h × w, from C to D channels, onto H × W pixels takes
        2·h·w·C·D·H·W
    in the forward pass, as much for the gradient of its kernel, and as much for the gradient of its input,
    which the first layer does not need. Everything else is small beside it.
    """
    forward = [
        2 * int(keras.ops.size(layer.kernel)) * layer.output.shape[1] * layer.output.shape[2]
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    return 3 * sum(forward) - forward[0]
