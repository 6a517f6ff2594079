"""Measure the networks that were trained for a moment at one learning rate."""

import numpy as np
import pandas as pd
from stages.inputs import Inputs

from cae.core import files
from cae.core.arrays import Images
from cae.datasets import splits
from cae.metrics import quality
from cae.metrics.baselines import MeanImage
from cae.networks.autoencoder import load, predict
from stages import PREPARED
from studies import read_argument
from studies.seeds import STUDY, settings

# Validation images whose reconstructions are compared with one another.
COMPARED = 500


def main() -> None:
    """Read short/RATE and data/; write deaths/RATE.csv, a row a seed."""
    inputs = Inputs.read("measure_short", STUDY)
    rate = read_argument("rate", float)
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    # A network that does no better has learned nothing of single images.
    of_mean_image = mean_loss(validation, MeanImage.fit(train).reconstruct(validation))
    rows = []
    for seed in range(1, settings.load().deaths.seeds + 1):
        network = load(STUDY / f"short/{rate}/{seed}.keras", validation.shape[1:]).network
        answers = predict(network, validation)
        rows.append(
            {
                "seed": seed,
                "val_loss": mean_loss(validation, answers),
                "mean_image_loss": of_mean_image,
                "spread": spread(answers[:COMPARED]),
            }
        )
    inputs.check()
    files.write_csv(STUDY / f"deaths/{rate}.csv", pd.DataFrame(rows))


def mean_loss(images: Images, answers: Images) -> float:
    """Return the mean cross-entropy of answers to images, both (N, H, W, 1)."""
    return float(quality.binary_crossentropy(images, answers).mean())


def spread(answers: Images) -> float:
    """Return how much answers (N, H, W, 1) differ: the greatest standard deviation of a pixel over images."""
    return float(answers.std(axis=0, dtype=np.float64).max())
