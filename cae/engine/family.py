"""The networks that params.yaml can name: how each is built, and what it is trained to do."""

from cae.engine import tasks
from cae.engine.losses import cross_entropy, squared_error
from cae.engine.tasks import Task
from cae.ground.noise import CLEAN
from cae.ground.params import Model, Noise
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
            return variational.build(own.code_size, own.width, image_shape, seed)


def task(model: Model, built: Autoencoder, seen: Noise = CLEAN) -> Task:
    """Return what the chosen network, built, is trained to do, with this noise on what it sees."""
    match model.name:
        case "convolutional":
            return tasks.reconstruction(built.network, cross_entropy, seen)
        case "residual":
            return tasks.reconstruction(built.network, squared_error, seen)
        case "variational":
            return tasks.generation(variational.sampled(built), model.variational.beta, seen)
