"""The networks that params.yaml can name: how each is built, and what it is trained to do."""

from cae.core.params import Model
from cae.engine import tasks
from cae.engine.tasks import Task
from cae.networks import convolutional, residual, variational
from cae.networks.autoencoder import Autoencoder


def build(model: Model, image_shape: tuple[int, ...], seed: int) -> Autoencoder:
    """Build the chosen network, untrained, for images (H, W, C); raises as its module does."""
    match model.name:
        case "convolutional":
            return convolutional.build(model.convolutional.filters, image_shape, seed)
        case "residual":
            return residual.build(model.residual.code_size, model.residual.width, image_shape, seed)
        case "variational":
            own = model.variational
            return variational.build(own.code_size, own.width, own.layers, image_shape, seed)


def task(model: Model, built: Autoencoder, engine: str) -> Task:
    """Return what the chosen network, built, is trained to do."""
    augmentations = model.chosen.augmentations
    match model.name:
        case "convolutional":
            return tasks.reconstruction(built.network, "cross_entropy", augmentations, engine)
        case "residual":
            return tasks.reconstruction(built.network, "squared_error", augmentations, engine)
        case "variational":
            return tasks.generation(built, model.variational, engine)
