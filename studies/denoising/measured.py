"""What every method is measured by: the same noise on the same images, PSNR, SSIM and a few pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from cae.core import files
from cae.core.arrays import Images, Indices, Labels
from cae.datasets import noise, splits
from cae.datasets.noise import Noise
from cae.metrics import quality

Method = Callable[[Images, Noise], Images]
"""Noisy images and which noise they have → denoised images, both (N, H, W, 1) in [0, 1]."""
# Pictures show the first image of every third class.
CLASSES_APART = 3


def noisy(images: Images, condition: Noise, seed: int, split: str) -> Images:
    """Add a split's noise to its images (N, H, W, 1): the same whoever asks, whatever else is measured."""
    name = f"{split} {condition.kind} {condition.strength}"
    return noise.add_noise(images, condition, np.random.default_rng((seed, *name.encode())))


def examples(labels: Labels) -> Indices:
    """Return which test images the pictures show."""
    return np.unique(labels, return_index=True)[1][::CLASSES_APART]


class Measured(NamedTuple):
    """One method on the test split."""

    # A row a noise: kind, strength, the `scores`, and chosen, the strength of a filter.
    table: pd.DataFrame
    pictures: npt.NDArray[np.uint8]  # (noises shown, examples, H, W), grey levels

    @classmethod
    def of(
        cls,
        method: Method,
        test: Images,
        conditions: Sequence[Noise],
        seed: int,
        places: Indices,
        shown: Sequence[Noise],
    ) -> Self:
        """Measure a method on test images (N, H, W, 1) under every noise; keep some of what it makes."""
        rows, pictures = [], []
        for condition in conditions:
            denoised = method(noisy(test, condition, seed, "test"), condition)
            rows.append({**condition.model_dump(), **scores(test, denoised)})
            if condition in shown:
                pictures.append(grey(denoised[places, ..., 0]))
        return cls(pd.DataFrame(rows), np.array(pictures))

    def write(self, folder: Path, name: str) -> None:
        """Write NAME.csv and NAME.npy."""
        files.write_csv(folder / f"{name}.csv", self.table)
        files.write_array(folder / f"{name}.npy", self.pictures)

    @classmethod
    def read(cls, folder: Path, name: str) -> Self:
        """Read what `write` wrote; UserError where a file is missing or broken."""
        remake = "cd studies/denoising && dvc repro"
        pictures = np.array(splits.mapped(folder / f"{name}.npy", remake))
        return cls(files.read_csv(folder / f"{name}.csv", remake), pictures)


def scores(clean: Images, denoised: Images) -> dict[str, float]:
    """Return PSNR in dB, the mean over images (N, H, W, 1) and that of their mean MSE, and mean SSIM."""
    errors = quality.mse(clean, denoised)
    return {
        "psnr": float(quality.psnr_from_mse(errors).mean()),
        "psnr_of_mean_mse": float(quality.psnr_from_mse(errors.mean())),
        "ssim": float(quality.ssim(clean, denoised).mean()),
    }


def grey(images: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Round grey values in [0, 1] to the 256 levels that a screen has."""
    return np.round(images * 255).astype(np.uint8)
