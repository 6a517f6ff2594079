"""Find the best strength of a filter for every noise on validation images, and measure it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from cae.core.arrays import Images
from cae.core.config import Section, Seed
from cae.datasets import prepared
from cae.datasets.noise import Noise
from cae.metrics import baselines, quality
from cae.metrics.baselines import PrincipalComponents
from stages.runner.project import Project, Results
from studies.denoising import filters, measuring
from studies.denoising.filters import Filter, Grids
from studies.denoising.noises import Noises, add_noise
from studies.denoising.wiener import Wiener


class Settings(Section):
    """What the stage reads of params.yaml."""

    grids: Grids
    noises: Noises
    seed: Seed
    tuning_images: Annotated[int, Field(ge=1, le=60_000)]


def tune(project: Project, settings: Settings, method: str) -> Results:
    """Return the metrics of a filter with its chosen strengths, and some images that it denoised."""
    folder = project.path("../../data/prepared")
    clean = prepared.read_images(folder, "validation")[: settings.tuning_images]
    denoise = load_filter(method, folder, project.path("../../data/baselines"))
    grid = getattr(settings.grids, method)
    strengths = {
        noise: find_strength(denoise, grid, clean, noise, settings.seed) for noise in settings.noises.all
    }
    measured = measuring.measure(
        lambda images, noise: filters.apply(denoise, images, strengths[noise]),
        prepared.read_images(folder, "test"),
        prepared.read_labels(folder, "test"),
        settings.noises,
        settings.seed,
    )
    return measured._replace(table=measured.table.assign(chosen=list(strengths.values()))).to_results(method)


def load_filter(name: str, prepared_folder: Path, baselines_folder: Path) -> Filter:
    """Return a filter by its name; `noisy` is none."""
    if name == "wiener":
        _, components = baselines.read(baselines_folder)
        pca = PrincipalComponents(len(components.directions), components)
        return Wiener.fit(pca, prepared.read_images(prepared_folder, "train")).denoise
    return filters.BY_NAME.get(name, lambda images, _: images)


def find_strength(denoise: Filter, grid: Sequence[float], clean: Images, noise: Noise, seed: int) -> float:
    """Return the strength of a grid with the best mean PSNR on clean validation images (N, H, W, 1)."""
    noisy = add_noise(clean, noise, seed, "validation")
    psnr = [quality.psnr(clean, filters.apply(denoise, noisy, strength)).mean() for strength in grid]
    return grid[int(np.argmax(psnr))]
