"""Train networks on the images of one class: one for each transform of the images and each seed."""

from cae.core.config import Increasing, Section, Seed
from cae.networks import convolutional
from cae.networks.model import Model
from stages.prepared_images import read_images
from stages.runner.project import Project, Results
from stages.train import Train, train_network
from studies.anomaly.images import PREPARED, TRANSFORMS, HeldOut, hold_out, read_class


class Settings(Section):
    """What the stage reads of params.yaml."""

    held_out: HeldOut
    seeds: Increasing[Seed]
    convolutional: convolutional.Settings
    train: Train


def train(project: Project, settings: Settings, label: int) -> Results:
    """Return the trained networks of a class; the held-out images choose the best epoch."""
    model = Model.model_validate({"convolutional": settings.convolutional})
    image_shape = read_images(project, PREPARED, "train").shape[1:]
    # The detectors need an image for each number of the code: PCA has as many components.
    code_size = convolutional.code_size(settings.convolutional.filters, image_shape)
    images = read_class(project, label, settings.held_out + code_size)
    results: Results = {}
    for name, transform in TRANSFORMS.items():
        for seed in settings.seeds:
            print(f"{name}, seed {seed}", flush=True)
            train, held_out = hold_out(transform(images), settings.held_out, seed)
            recipe = settings.train.model_copy(update={"seed": seed})
            autoencoder, _ = train_network(project, model, recipe, train, held_out, f"{name}-{seed}")
            results[f"models/{label}/{name}-{seed}.keras"] = autoencoder.network
    return results
