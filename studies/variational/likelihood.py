"""Estimate the log-likelihood of test images under the network that was trained on its bound."""

from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from cae.core.arrays import Images, Indices
from cae.core.config import Section, Seed
from cae.networks.autoencoder import load
from stages.runner.project import Project, Results
from studies.variational import BETA, CHOICE, LIKELIHOOD
from studies.variational.blocks import compute_in_blocks
from studies.variational.density import Density, build_density
from studies.variational.importance import Estimate, estimate
from studies.variational.pixels import read_test_images


class Settings(Section):
    """What the stage reads of params.yaml."""

    # Codes drawn per image.
    samples: Annotated[int, Field(ge=1, le=1_000_000)]
    # A standard error needs two.
    images: Annotated[int, Field(ge=2, le=10_000)]
    pixels_seed: Seed
    codes_seed: Seed


def likelihood(project: Project, settings: Settings) -> Results:
    """Return the mean log-likelihood, its standard error, and how many images and codes it is from."""
    _, test = read_test_images(project, settings.pixels_seed)
    model = build_density(load(project.path(f"models/{BETA}.keras"), test.shape[1:]))
    indices = choose_images(len(test), settings)
    # A killed run resumes after its last finished block.
    folder = project.checkpoints / project.fingerprint
    summary = summarise(estimate_images(model, test[indices], indices, settings, folder))
    print(f"log-likelihood {summary['log_likelihood']:.2f} ± {summary['standard_error']:.2f} nats per image")
    return {"runs/likelihood.json": {"images": len(indices), "samples": settings.samples} | summary}


def choose_images(count: int, settings: Settings) -> Indices:
    """Draw the indices of the test images to estimate, in order; `count` is how many there are."""
    generator = np.random.default_rng((settings.codes_seed, CHOICE))
    return np.sort(generator.permutation(count)[: settings.images])


def estimate_images(
    model: Density, images: Images, indices: Indices, settings: Settings, folder: Path
) -> npt.NDArray[np.float64]:
    """Estimate binary images (N, H, W, C): one row of `Estimate` each; `folder` stores finished blocks.

    The random numbers for an image depend on its index in the test split, (N,), alone.
    """
    means, log_variances = model.posterior(images)

    def estimate_image(row: int) -> Estimate:
        generator = np.random.default_rng((settings.codes_seed, int(indices[row]), LIKELIHOOD))
        return estimate(
            model.log_probability,
            images[row : row + 1],
            means[row],
            log_variances[row],
            settings.samples,
            generator,
        )

    return compute_in_blocks(estimate_image, len(images), folder)


def summarise(estimates: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return the mean in nats per image, its standard error, and the median effective sample size.

    `estimates` has a row of `Estimate` for each image.
    """
    likelihoods, effective = estimates.T
    return {
        "log_likelihood": float(likelihoods.mean()),
        "standard_error": float(likelihoods.std(ddof=1) / np.sqrt(len(likelihoods))),
        "effective_samples": float(np.median(effective)),
    }
