"""Measure how well a trained network denoises the test images."""

from functools import partial

import keras

from cae.core.config import Section, Seed
from cae.datasets import prepared
from cae.networks.autoencoder import predict
from stages.runner.project import Project, Results
from studies.denoising import measuring, residual_cnn
from studies.denoising.methods import WITHOUT_BOTTLENECK
from studies.denoising.noises import Noises


class Settings(Section):
    """What the stage reads of params.yaml."""

    noises: Noises
    seed: Seed


def measure(project: Project, settings: Settings, network: str) -> Results:
    """Return the metrics of a network, and some images that it denoised."""
    folder = project.path("../../data/prepared")
    trained = keras.saving.load_model(project.path(f"models/{network}.keras"), compile=False)
    denoise = partial(residual_cnn.denoise if network == WITHOUT_BOTTLENECK else predict, trained)
    measured = measuring.measure(
        lambda images, _: denoise(images),
        prepared.read_images(folder, "test"),
        prepared.read_labels(folder, "test"),
        settings.noises,
        settings.seed,
    )
    return measured.to_results(network)
