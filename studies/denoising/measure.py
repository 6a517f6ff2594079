"""Measure how well a trained network denoises the test images."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from cae.core.arrays import Images
from cae.core.config import Section, Seed
from cae.datasets import prepared
from cae.networks.autoencoder import load_safely, predict
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
    denoise = load_network(network, project.path(f"models/{network}.keras"))
    measured = measuring.measure(
        lambda images, _: denoise(images),
        prepared.read_images(folder, "test"),
        prepared.read_labels(folder, "test"),
        settings.noises,
        settings.seed,
    )
    return measured.to_results(network)


def load_network(name: str, path: Path) -> Callable[[Images], Images]:
    """Return a function that denoises images by a trained network."""
    network = load_safely(
        path, "network", f"Train it again: cd studies/denoising && dvc repro -f train@{name}"
    )
    return partial(residual_cnn.denoise if name == WITHOUT_BOTTLENECK else predict, network)
