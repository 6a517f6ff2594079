"""Measure the bound of a variational network, the numbers of its codes and its reconstructions."""

from typing import Any

import numpy as np

from cae.core.arrays import Images
from cae.core.config import Section, Seed
from cae.metrics import quality
from cae.networks.autoencoder import Autoencoder, load, predict
from stages.runner.project import Project, Results
from studies.variational import BOUND
from studies.variational.bound import ACTIVE, compute_variance, estimate_bound
from studies.variational.density import build_density
from studies.variational.pixels import read_test_images

# Codes drawn per image: the bounds from single codes differ by tens of nats.
DRAWS = 500


class Settings(Section):
    """What the stage reads of params.yaml."""

    pixels_seed: Seed
    codes_seed: Seed


def measure(project: Project, settings: Settings, beta: float) -> Results:
    """Return all measurements of the network with one weight of the divergence."""
    test, binary = read_test_images(project, settings.pixels_seed)
    network = load(project.path(f"models/{beta}.keras"), test.shape[1:])
    generator = np.random.default_rng((settings.codes_seed, BOUND))
    return {f"runs/{beta}.json": measure_network(network, test, binary, generator)}


def measure_network(
    network: Autoencoder, grey: Images, binary: Images, generator: np.random.Generator
) -> dict[str, Any]:
    """Measure a network on test images (N, H, W, 1), binary and grey.

    Returns `test`, the bound of binary images, its parts and the number of active units; `units`, divergence
    and variance of the mean of every number of a code; `grey`, the metrics of reconstructed grey images.
    """
    bound = estimate_bound(build_density(network), binary, DRAWS, generator)
    variances = compute_variance(bound.means)
    return {
        "test": bound.summarise() | {"active_units": int((variances > ACTIVE).sum())},
        "units": {"kl": bound.divergence.mean(axis=0).tolist(), "variance_of_mean": variances.tolist()},
        "grey": quality.summarise(grey, predict(network.network, grey)),
    }
