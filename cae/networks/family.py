"""The networks that params.yaml can name."""

from cae.ground.params import Convolutional, Model
from cae.networks import convolutional, residual
from cae.networks.autoencoder import Autoencoder


def build(model: Model, image_shape: tuple[int, ...], seed: int) -> Autoencoder:
    """Build the chosen network, untrained, for images (H, W, C); raises as its module does."""
    values = model.chosen
    if isinstance(values, Convolutional):
        return convolutional.build(values.filters, image_shape, seed)
    return residual.build(values.code_size, values.width, image_shape, seed)


def objective(model: Model) -> str:
    """Name what the chosen network is trained on, as the engine knows it."""
    return residual.OBJECTIVE if model.name == "residual" else convolutional.OBJECTIVE
