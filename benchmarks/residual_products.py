"""The matrix products of an epoch of the residual network as a contender: no activation, no Adam.

In the shapes that training has, by NumPy's matrix library on all cores.
"""

import numpy as np

from benchmarks import worker
from benchmarks.contenders import RESIDUAL

PIXELS, CODE_SIZE, WIDTH = 784, 128, 2048
# Numbers into a layer and out of it: pixels to the code straight and beside, then the way back.
ENCODER = ((PIXELS, CODE_SIZE), (PIXELS, WIDTH), (WIDTH, CODE_SIZE))
DECODER = ((CODE_SIZE, PIXELS), (CODE_SIZE, WIDTH), (WIDTH, PIXELS))


class Layer:
    """The products of a dense layer for a batch, their results left where they are."""

    def __init__(self, batch: int, size: int, result_size: int, sees_image: bool) -> None:
        draws = np.random.default_rng(1)
        self.inputs = draws.random((batch, size), np.float32)
        self.kernel = draws.random((size, result_size), np.float32)
        self.gradient = draws.random((batch, result_size), np.float32)
        # What sees the image hands no gradient on.
        self.sees_image = sees_image
        self.outputs, self.kernel_gradient, self.inputs_gradient = map(
            np.empty_like, (self.gradient, self.kernel, self.inputs)
        )

    def forward(self) -> None:
        """Compute the outputs."""
        np.dot(self.inputs, self.kernel, out=self.outputs)

    def backward(self) -> None:
        """Compute the gradient of the kernel, and that of the inputs where it is needed."""
        np.dot(self.inputs.T, self.gradient, out=self.kernel_gradient)
        if not self.sees_image:
            np.dot(self.gradient, self.kernel.T, out=self.inputs_gradient)


def network(batch: int) -> list[Layer]:
    """List the layers of the network."""
    return [Layer(batch, *sizes, sees_image=sizes[0] == PIXELS) for sizes in (*ENCODER, *DECODER)]


def main() -> None:
    """Compute the products of an epoch whenever told, the last batch whole."""
    asked = worker.arguments()
    if asked.network != RESIDUAL:
        raise ValueError(f"These are not the products of the network {asked.network}.")
    channel = worker.Channel()
    layers = network(asked.batch)

    def epoch() -> None:
        for _ in range(-(-asked.images // asked.batch)):
            for layer in layers:
                layer.forward()
            for layer in reversed(layers):
                layer.backward()

    epoch()
    channel.serve(epoch)


if __name__ == "__main__":
    main()
