"""Find the best strength of one filter for every noise, on validation images, and measure it."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from stages.inputs import Inputs

from cae.core.arrays import Images
from cae.datasets import splits
from cae.datasets.noise import Noise
from cae.metrics import baselines, quality
from cae.metrics.baselines import PrincipalComponents
from stages import BASELINES, PREPARED
from studies import read_argument
from studies.denoising import STUDY, filters, measured, settings
from studies.denoising.filters import Filter
from studies.denoising.measured import Measured
from studies.denoising.wiener import Wiener


def main() -> None:
    """Read data/, write studies/denoising/runs/FILTER.csv and FILTER.npy."""
    inputs = Inputs.read("tune", STUDY)
    study = settings.load()
    name = read_argument("filter", str, settings.Grids.model_fields)
    validation, test = (splits.images(PREPARED, split) for split in ("validation", "test"))
    denoise, conditions = chosen(name), study.noises.conditions

    best = partial(best_strength, denoise, getattr(study.grids, name), validation[: study.tuning_images])
    strengths = {condition: best(condition, study.seed) for condition in conditions}
    result = Measured.of(
        lambda images, condition: filters.applied(denoise, images, strengths[condition]),
        test,
        conditions,
        study.seed,
        measured.examples(splits.labels(PREPARED, "test")),
        study.noises.shown,
    )
    inputs.check()
    table = result.table.assign(chosen=[strengths[condition] for condition in conditions])
    result._replace(table=table).write(STUDY / "runs", name)


def chosen(name: str) -> Filter:
    """Return a filter by its name; noisy images alone have none."""
    if name != "wiener":
        return filters.BY_NAME.get(name, unfiltered)
    train = splits.images(PREPARED, "train")
    _, components = baselines.read(BASELINES)
    pca = PrincipalComponents(len(components.directions), components)
    return Wiener.fitted(pca, train).denoised


def unfiltered(images: Images, _: float) -> Images:
    """Leave noisy images as they are."""
    return images


def best_strength(
    denoise: Filter, grid: Sequence[float], clean: Images, condition: Noise, seed: int
) -> float:
    """Return the strength of a grid that gives clean validation images (N, H, W, 1) the best mean PSNR."""
    noisy = measured.noisy(clean, condition, seed, "validation")
    psnr = [quality.psnr(clean, filters.applied(denoise, noisy, strength)).mean() for strength in grid]
    return grid[int(np.argmax(psnr))]
