"""Measure what a trained network takes away of every noise."""

from functools import partial

import keras
from stages.inputs import Inputs

from cae.datasets import splits
from cae.networks.autoencoder import predict
from stages import PREPARED
from studies import read_argument
from studies.denoising import NETWORKS, STUDY, WITHOUT_BOTTLENECK, measured, residual_cnn, settings
from studies.denoising.measured import Measured


def main() -> None:
    """Read studies/denoising/models/NETWORK.keras and the test split, write runs/NETWORK.csv and .npy."""
    inputs = Inputs.read("measure", STUDY)
    study = settings.load()
    name = read_argument("network", str, NETWORKS)
    network = keras.saving.load_model(STUDY / f"models/{name}.keras", compile=False)
    denoise = partial(residual_cnn.denoised if name == WITHOUT_BOTTLENECK else predict, network)
    result = Measured.of(
        lambda images, _: denoise(images),
        splits.images(PREPARED, "test"),
        study.noises.conditions,
        study.seed,
        measured.examples(splits.labels(PREPARED, "test")),
        study.noises.shown,
    )
    inputs.check()
    result.write(STUDY / "runs", name)
