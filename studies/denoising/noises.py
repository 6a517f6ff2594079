"""Which noise every method is measured on."""

from typing import Annotated

import numpy as np
from pydantic import Field

from cae.core.arrays import Images
from cae.core.config import Increasing, Section
from cae.datasets import noise
from cae.datasets.noise import Noise

Strengths = Increasing[Annotated[float, Field(gt=0, le=1)]]


class Noises(Section):
    """The strengths of each kind of noise, as `Noise` has them."""

    gaussian: Strengths
    salt_and_pepper: Strengths
    squares: Strengths

    @property
    def all(self) -> tuple[Noise, ...]:
        """Every kind with every strength."""
        return tuple(
            Noise.model_validate({"kind": kind, "strength": strength})
            for kind, strengths in self.model_dump().items()
            for strength in strengths
        )

    @property
    def shown(self) -> tuple[Noise, ...]:
        """Every kind with its middle strength, the upper one of two: for figures and metrics."""
        return tuple(
            Noise.model_validate({"kind": kind, "strength": strengths[len(strengths) // 2]})
            for kind, strengths in self.model_dump().items()
        )


def add_noise(images: Images, added: Noise, seed: int, split: str) -> Images:
    """Add noise to the images (N, H, W, 1) of a split: the same for every method."""
    name = f"{split} {added.kind} {added.strength}"
    return noise.add_noise(images, added, np.random.default_rng((seed, *name.encode())))
