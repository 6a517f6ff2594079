"""Estimate the log-likelihood of test pictures under the network that was trained on its bound."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from stages.inputs import Inputs

from cae.core import files
from cae.core.arrays import Images, Indices
from cae.datasets import splits
from cae.networks.autoencoder import load
from stages import PREPARED
from studies.variational import CHOICE, LIKELIHOOD, STUDY, blocks, density, importance, pixels, settings
from studies.variational.density import Density
from studies.variational.importance import Estimate
from studies.variational.settings import Study

CHECKPOINTS = Path(".checkpoints/variational/likelihood")


def main() -> None:
    """Read the network of β = 1 and the test split; write runs/likelihood.json."""
    inputs = Inputs.read("likelihood", STUDY)
    study = settings.load()
    validation, test = (splits.images(PREPARED, name) for name in ("validation", "test"))
    network = load(STUDY / f"models/{settings.BETA}.keras", test.shape[1:])
    places = taken(len(test), study)
    pictures = pixels.drawn(validation, test, study.pixels_seed)[1][places]
    # Killed, it goes on after its last finished block.
    folder = CHECKPOINTS / inputs.fingerprint
    found = summary(estimates(density.of(network), pictures, places, study, folder))

    inputs.check()
    counts = {"images": len(pictures), "samples": study.samples}
    files.write_json(STUDY / "runs/likelihood.json", counts | found)
    shutil.rmtree(CHECKPOINTS)
    print(f"log-likelihood {found['log_likelihood']:.2f} ± {found['standard_error']:.2f} nats a test picture")


def taken(count: int, study: Study) -> Indices:
    """Return which of so many test pictures are estimated, in order."""
    generator = np.random.default_rng((study.codes_seed, CHOICE))
    return np.sort(generator.permutation(count)[: study.images])


def estimates(
    model: Density, pictures: Images, places: Indices, study: Study, folder: Path
) -> npt.NDArray[np.float64]:
    """Estimate black-and-white pictures (N, H, W, C): one row of `Estimate` each; `folder` keeps blocks.

    What is drawn for a picture depends on its place in the test split, (N,), alone.
    """
    means, log_variances = model.posterior(pictures)

    def one(index: int) -> Estimate:
        generator = np.random.default_rng((study.codes_seed, int(places[index]), LIKELIHOOD))
        return importance.estimate(
            model.fit,
            pictures[index : index + 1],
            means[index],
            log_variances[index],
            study.samples,
            generator,
        )

    return blocks.computed(one, len(pictures), folder)


def summary(estimates: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return the mean in nats a picture, its standard error over pictures, and the median effective draws.

    `estimates` has a row of `Estimate` for each picture.
    """
    likelihoods, effective = estimates.T
    return {
        "log_likelihood": float(likelihoods.mean()),
        "standard_error": float(likelihoods.std(ddof=1) / np.sqrt(len(likelihoods))),
        "effective_samples": float(np.median(effective)),
    }
