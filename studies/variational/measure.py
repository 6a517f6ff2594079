"""Measure the bound of a variational network, the numbers of its codes and its reconstructions."""

from typing import Any

import numpy as np
from stages.inputs import Inputs

from cae.core import files
from cae.core.arrays import Images
from cae.datasets import splits
from cae.metrics import quality
from cae.networks.autoencoder import Autoencoder, load, predict
from stages import PREPARED
from studies import read_argument
from studies.variational import BOUND, STUDY, bound, density, pixels, settings

# Codes drawn for the bound of one picture: of one picture they differ by tens of nats.
DRAWS = 500


def main() -> None:
    """Read models/BETA.keras and the test split, write studies/variational/runs/BETA.json."""
    inputs = Inputs.read("measure", STUDY)
    beta = read_argument("beta", float)
    study = settings.load()
    validation, test = (splits.images(PREPARED, name) for name in ("validation", "test"))
    _, black_and_white = pixels.drawn(validation, test, study.pixels_seed)
    network = load(STUDY / f"models/{beta}.keras", test.shape[1:])
    generator = np.random.default_rng((study.codes_seed, BOUND))
    results = measured(network, test, black_and_white, generator)
    inputs.check()
    files.write_json(STUDY / f"runs/{beta}.json", results)


def measured(
    network: Autoencoder, test: Images, black_and_white: Images, generator: np.random.Generator
) -> dict[str, Any]:
    """Measure test pictures (N, H, W, 1) as they were drawn, and in grey.

    Returns `test`, the parts of the bound and the active units; `units`, divergence and variance of the mean
    of every number of a code; `grey`, the metrics of reconstructions of grey pictures.
    """
    parts = bound.parts(density.of(network), black_and_white, DRAWS, generator)
    variances = bound.variance_of_mean(parts.means)
    return {
        "test": parts.summary() | {"active_units": int((variances > bound.ACTIVE).sum())},
        "units": {"kl": parts.divergence.mean(axis=0).tolist(), "variance_of_mean": variances.tolist()},
        "grey": quality.summarise(test, predict(network.network, test)),
    }
