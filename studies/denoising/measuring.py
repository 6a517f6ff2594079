"""Measure a method on the noisy test images: PSNR, SSIM, and a few denoised images."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from cae.core import files
from cae.core.arrays import Images, Indices, Labels
from cae.datasets import prepared
from cae.datasets.noise import Noise
from cae.figures.codes import find_first_of_each_class
from cae.metrics import quality
from stages.runner.project import Results
from studies.denoising.noises import Noises, add_noise

Denoise = Callable[[Images, Noise], Images]
"""Noisy images and their noise → denoised images, both (N, H, W, 1) in [0, 1]."""
# Figures show the first image of every third class.
CLASS_STEP = 3


class Measured(NamedTuple):
    """What one method reaches."""

    # A row per noise: kind, strength, psnr, psnr_of_mean_mse, ssim; of a filter chosen, its own strength.
    table: pd.DataFrame
    # Some denoised images, (noises shown, images, H, W), grey levels.
    examples: npt.NDArray[np.uint8]

    def to_results(self, name: str) -> Results:
        """Return the results of the method's stage."""
        return {f"runs/{name}.csv": self.table, f"runs/{name}.npy": self.examples}

    @classmethod
    def read(cls, folder: Path, name: str) -> Self:
        """Read the results of a method's stage; UserError where a file is missing or broken."""
        remake = "cd studies/denoising && dvc repro"
        table = files.read_csv(folder / f"{name}.csv", remake)
        return cls(table, np.array(prepared.map_array(folder / f"{name}.npy", remake)))


def measure(denoise: Denoise, test: Images, labels: Labels, noises: Noises, seed: int) -> Measured:
    """Measure a method on test images (N, H, W, 1) with every noise."""
    rows, examples = [], []
    indices = choose_examples(labels)
    for noise in noises.all:
        denoised = denoise(add_noise(test, noise, seed, "test"), noise)
        rows.append({**noise.model_dump(), **compute_metrics(test, denoised)})
        if noise in noises.shown:
            examples.append(to_grey_levels(denoised[indices, ..., 0]))
    return Measured(pd.DataFrame(rows), np.array(examples))


def choose_examples(labels: Labels) -> Indices:
    """Return the indices of the test images in figures."""
    return find_first_of_each_class(labels)[::CLASS_STEP]


def compute_metrics(clean: Images, denoised: Images) -> dict[str, float]:
    """Return PSNR in dB, the mean over images (N, H, W, 1) and that of their mean MSE, and the mean SSIM."""
    errors = quality.mse(clean, denoised)
    return {
        "psnr": float(quality.psnr_from_mse(errors).mean()),
        "psnr_of_mean_mse": float(quality.psnr_from_mse(errors.mean())),
        "ssim": float(quality.ssim(clean, denoised).mean()),
    }


def to_grey_levels(images: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Round grey values in [0, 1] to 256 levels."""
    return np.round(images * 255).astype(np.uint8)
