"""Measure the networks that were trained for a few epochs at one learning rate."""

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from cae.core.arrays import Images
from cae.core.config import Section
from cae.metrics import quality
from cae.metrics.baselines import MeanImage
from cae.networks.autoencoder import load, predict
from stages.prepared_images import read_training_images
from stages.runner.project import Project, Results

# Validation images whose reconstructions are compared with one another.
COMPARED = 500


class ShortTraining(Section):
    """How many networks were trained."""

    seeds: Annotated[int, Field(ge=1, le=1000)]


class Settings(Section):
    """What the stage reads of params.yaml."""

    short: ShortTraining


def measure_short(project: Project, settings: Settings, rate: float) -> Results:
    """Return a table with a row per seed: seed, val_loss, mean_image_loss, spread."""
    train, validation = read_training_images(project, "../../data/prepared")
    mean_image_loss = compute_loss(validation, MeanImage.fit(train).reconstruct(validation))
    rows = []
    for seed in range(1, settings.short.seeds + 1):
        network = load(project.path(f"short/{rate}/{seed}.keras"), validation.shape[1:]).network
        reconstructions = predict(network, validation)
        rows.append(
            {
                "seed": seed,
                "val_loss": compute_loss(validation, reconstructions),
                "mean_image_loss": mean_image_loss,
                "spread": compute_spread(reconstructions[:COMPARED]),
            }
        )
    return {f"losses/{rate}.csv": pd.DataFrame(rows)}


def compute_loss(images: Images, reconstructions: Images) -> float:
    """Return the mean cross-entropy of reconstructions of images, both (N, H, W, 1)."""
    return float(quality.binary_crossentropy(images, reconstructions).mean())


def compute_spread(images: Images) -> float:
    """Return how much images (N, H, W, 1) differ: the largest standard deviation of any pixel."""
    return float(images.std(axis=0, dtype=np.float64).max())
