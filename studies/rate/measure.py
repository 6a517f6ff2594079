"""Measure a trained network and PCA with codes of the same size, as they are and quantised."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from cae.core.arrays import Images, Labels, Rows
from cae.core.config import Increasing, Section
from cae.datasets import prepared
from cae.datasets.splits import Splits
from cae.metrics import baselines, probes, quality
from cae.metrics.baselines import PrincipalComponents
from cae.metrics.probes import LinearProbe
from cae.networks.autoencoder import load
from stages.runner.project import Project, Results
from studies.rate.quantiser import Quantiser


class Settings(Section):
    """To how many bits per number codes are quantised."""

    bits: Increasing[Annotated[int, Field(ge=1, le=16)]]


class Method(NamedTuple):
    """A way from images to codes and back."""

    encode: Callable[[Images], Rows]
    decode: Callable[[Rows], Images]


def measure(project: Project, settings: Settings, size: int) -> Results:
    """Return the metrics of the network and of PCA on the test images."""
    folder = project.path("../../data/prepared")
    images = prepared.read_all_images(folder)
    labels = Splits(*(prepared.read_labels(folder, split) for split in Splits._fields))
    image_shape = images.test.shape[1:]
    network = load(project.path(f"models/{size}.keras"), image_shape)
    _, components = baselines.read(project.path("../../data/baselines"))
    pca = PrincipalComponents(size, components)
    methods = {
        "residual": Method(network.encode, network.decode),
        "PCA": Method(pca.encode, partial(pca.decode, image_shape=image_shape)),
    }
    return {
        f"runs/{size}.json": {
            name: measure_method(method, images, labels, settings.bits) for name, method in methods.items()
        }
    }


def measure_method(
    method: Method, images: Splits[Images], labels: Splits[Labels], bits: tuple[int, ...]
) -> dict[str, Any]:
    """Measure a method on the test images.

    Returns every metric of reconstructions; `linear_all`, the accuracy of a linear probe on the codes, fitted
    with all labels; and `mse_by_bits`, the squared error when each number of a code is quantised.
    """
    codes = Splits(*(method.encode(part) for part in images))
    rows = probes.standardise(codes)
    probe = LinearProbe(probes.Settings().regularisation)
    probe.fit(rows.train, labels.train, rows.validation, labels.validation)
    quantised = {count: Quantiser.fit(codes.train, count).quantise(codes.test) for count in bits}
    return {
        **quality.summarise(images.test, method.decode(codes.test)),
        "linear_all": float((probe.predict(rows.test) == labels.test).mean()),
        "mse_by_bits": {
            str(count): float(quality.mse(images.test, method.decode(rounded)).mean())
            for count, rounded in quantised.items()
        },
    }
