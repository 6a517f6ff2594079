"""Measure a trained network and PCA with as many numbers, their codes whole and rounded."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from stages.inputs import Inputs

from cae.core import files, params
from cae.core.arrays import Images, Labels, Rows
from cae.datasets import splits
from cae.datasets.splits import Splits
from cae.metrics import baselines, probes, quality
from cae.metrics.baselines import PrincipalComponents
from cae.metrics.probes import LinearProbe
from cae.networks.autoencoder import load, predict
from stages import BASELINES, PREPARED
from studies import read_argument
from studies.rate import STUDY, settings
from studies.rate.quantiser import Quantiser


class Method(NamedTuple):
    """A way from images to codes and back."""

    encode: Callable[[Images], Rows]
    decode: Callable[[Rows], Images]


def main() -> None:
    """Read models/SIZE.keras and data/; write runs/SIZE.json."""
    inputs = Inputs.read("measure", STUDY)
    size = read_argument("size", int)
    images, labels = splits.all_images(PREPARED), splits.all_labels(PREPARED)
    image_shape = images.test.shape[1:]
    network = load(STUDY / f"models/{size}.keras", image_shape)
    _, components = baselines.read(BASELINES)
    pca = PrincipalComponents(size, components)
    methods = {
        "residual": Method(partial(predict, network.encoder), partial(predict, network.decoder)),
        "PCA": Method(pca.encode, partial(pca.decode, image_shape=image_shape)),
    }
    bits, strengths = settings.load().bits, params.load().probes.regularisation
    results = {name: measure(method, images, labels, bits, strengths) for name, method in methods.items()}
    inputs.check()
    files.write_json(STUDY / f"runs/{size}.json", results)


def measure(
    method: Method,
    images: Splits[Images],
    labels: Splits[Labels],
    bits: tuple[int, ...],
    strengths: tuple[float, ...],
) -> dict[str, Any]:
    """Measure a method on the test split.

    Returns every metric of reconstructions from whole codes; `linear_all`, how often a linear probe on the
    codes, learned with all labels, names a test image right; and `mse_by_bits`, the squared error when each
    number of a code is rounded to so many bits.
    """
    codes = Splits(*(method.encode(part) for part in images))
    rows = probes.standardise(codes)
    probe = LinearProbe(strengths).fit(rows.train, labels.train, rows.validation, labels.validation)
    return {
        **quality.summarise(images.test, method.decode(codes.test)),
        "linear_all": float((probe.predict(rows.test) == labels.test).mean()),
        "mse_by_bits": {
            str(count): float(quality.mse(images.test, method.decode(rounded)).mean())
            for count in bits
            for rounded in [Quantiser.fitted(codes.train, count).rounded(codes.test)]
        },
    }
