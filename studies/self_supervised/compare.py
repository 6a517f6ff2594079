"""Probe features that no self-supervised network learns, for the classes of the images."""

from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import Field

from cae.core.arrays import Images, Rows
from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.splits import Splits
from cae.metrics import probes
from cae.networks import self_supervised
from cae.networks.autoencoder import load
from stages.runner.project import Project, Results
from studies.self_supervised import PREPARED, features
from studies.self_supervised.measure import probe

Count = Annotated[int, Field(ge=1, le=60_000)]


class Settings(Section):
    """What the stage reads of params.yaml."""

    components: Count
    fitted_to: Count
    probes: probes.Settings


def compare(project: Project, settings: Settings, name: str) -> Results:
    """Return the accuracy of probes on one kind of features."""
    images = prepared.read_all_images(project.path(PREPARED))
    rows = COMPUTE[name](project, settings, images)
    return {f"runs/{name}.json": probe(project, settings.probes, name, rows)}


def encode_by_default_network(project: Project, _: Settings, images: Splits[Images]) -> Splits[Rows]:
    """Compute the codes of the default network."""
    network = load(project.path("../../models/autoencoder.keras"), images.test.shape[1:])
    return Splits(*map(network.encode, images))


def encode_untrained(_: Project, __: Settings, images: Splits[Images]) -> Splits[Rows]:
    """Compute the codes of the self-supervised network before training."""
    network = self_supervised.build(self_supervised.Settings(), images.test.shape[1:], features.SEED)
    return Splits(*map(network.encode, images))


def compute_hog(_: Project, __: Settings, images: Splits[Images]) -> Splits[Rows]:
    """Compute all numbers of HOG."""
    return features.compute_all(images, features.compute_hog)


def project_hog(_: Project, settings: Settings, images: Splits[Images]) -> Splits[Rows]:
    """Compute the principal components of HOG."""
    return features.project(images, features.compute_hog, settings.components, settings.fitted_to)


def project_words(_: Project, settings: Settings, images: Splits[Images]) -> Splits[Rows]:
    """Compute the principal components of visual words."""
    words = features.fit_words(images.train)
    return features.project(images, words, settings.components, settings.fitted_to)


def project_prototypes(_: Project, settings: Settings, images: Splits[Images]) -> Splits[Rows]:
    """Compute the principal components of prototypes and visual words."""
    prototypes = features.fit_prototypes(images.train)
    return features.project(images, prototypes, settings.components, settings.fitted_to)


COMPUTE: Mapping[str, Callable[[Project, Settings, Splits[Images]], Splits[Rows]]] = {
    "default": encode_by_default_network,
    "hog": compute_hog,
    "hog_pca": project_hog,
    "prototypes_pca": project_prototypes,
    "untrained": encode_untrained,
    "words_pca": project_words,
}
