"""studies/denoising/params.yaml as frozen, validated values."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cae.core import config, params
from cae.core.config import Increasing
from cae.datasets.noise import Noise
from studies.denoising import STUDY

PATH = STUDY / "params.yaml"
Strengths = Increasing[Annotated[float, Field(gt=0, le=1)]]
Grid = Increasing[Annotated[float, Field(ge=0)]]
Epochs = Annotated[int, Field(ge=1, le=1000)]


class Noises(config.Section):
    """How strong each kind of noise is made, as `Noise` has it."""

    gaussian: Strengths
    salt_and_pepper: Strengths
    squares: Strengths

    @property
    def conditions(self) -> tuple[Noise, ...]:
        """Every kind in every strength."""
        return tuple(
            Noise.model_validate({"kind": kind, "strength": strength})
            for kind, strengths in self.model_dump().items()
            for strength in strengths
        )

    @property
    def shown(self) -> tuple[Noise, ...]:
        """Every kind in its middle strength, the upper one of two: for pictures and single numbers."""
        return tuple(
            Noise.model_validate({"kind": kind, "strength": strengths[len(strengths) // 2]})
            for kind, strengths in self.model_dump().items()
        )


class Grids(config.Section):
    """The strengths among which validation chooses, of each filter; 0 leaves an image as it is."""

    noisy: Grid
    gaussian: Grid
    median: Grid
    total_variation: Grid
    wavelet: Grid
    nonlocal_means: Grid
    wiener: Grid


class Autoencoders(config.Section):
    """For how many epochs the main pipeline's networks are trained, all else as in the root's params.yaml."""

    convolutional: Epochs
    residual: Epochs


class ResidualCNN(params.Run):
    """The network without a bottleneck: its size, and how it is trained."""

    width: settings_of_networks.Width
    depth: Annotated[int, Field(ge=2, le=100)]


class Study(config.Section):
    """All of the file."""

    seed: config.Seed
    noises: Noises
    tuning_images: Annotated[int, Field(ge=1, le=60_000)]
    grids: Grids
    training_noise: Noise
    epochs: Autoencoders
    residual_cnn: ResidualCNN


def load(path: Path = PATH) -> Study:
    """Read and validate the study's params.yaml; raises as `config.read`."""
    return config.read(path, Study)
