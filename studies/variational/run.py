"""Train the variational network with one weight of the divergence, and measure its bound and its codes."""

import argparse
import shutil
from pathlib import Path

import numpy as np

from cae.ground import artifacts, params, splits
from cae.measures import metrics
from cae.networks.autoencoder import load, predict
from stages import MODELS, PREPARED, command, train
from stages.inputs import Inputs
from studies import pipeline
from studies.variational import STUDY, bound, density, pixels, settings

# Codes drawn for the bound of one picture.
DRAWS = 10


def main() -> None:
    """Read data/, write studies/variational/runs/BETA.json and the trained network, models/BETA.keras."""
    inputs = Inputs.read("run", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beta", type=float, required=True, help="what a nat of the divergence weighs")
    beta = parser.parse_args().beta
    study = settings.load()
    changes = {
        "model.name": "variational",
        "model.variational.beta": beta,
        "train.epochs": study.epochs,
        "train.patience": study.epochs,
    }
    # Kept until the run is whole: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/variational/{beta}")
    measured = pipeline.run(folder, pipeline.changed(params.load(), changes), (train,))

    validation, test = (splits.images(PREPARED, name) for name in ("validation", "test"))
    network = load(folder / MODELS / "autoencoder.keras", test.shape[1:])
    model, generator = density.of(network), np.random.default_rng(study.codes_seed)
    of_validation, of_test = (
        bound.parts(model, pictures, DRAWS, generator)
        for pictures in pixels.drawn(validation, test, study.pixels_seed)
    )
    results = {
        "train": measured["train"],
        "validation": of_validation.summary(),
        "test": of_test.summary() | {"active_units": bound.active_units(of_test.means)},
        "units": {
            "kl": of_test.divergence.mean(axis=0).tolist(),
            "variance_of_mean": bound.activity(of_test.means).tolist(),
        },
        "grey": metrics.summary(test, predict(network.network, test)),
    }
    inputs.check()
    artifacts.write_json(STUDY / f"runs/{beta}.json", results)
    artifacts.write_model(STUDY / f"models/{beta}.keras", network.network)
    shutil.rmtree(folder)


if __name__ == "__main__":
    command.run(main)
