"""Train the default network for a moment with many seeds: which ends dead, with one answer for all."""

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cae.engine import tasks, training
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, params, splits
from cae.ground.arrays import Images
from cae.ground.params import Convolutional, Run
from cae.networks import convolutional
from cae.networks.autoencoder import predict
from stages import PREPARED, command
from stages.inputs import Inputs
from studies.seeds import STUDY, settings

CHECKPOINTS = Path(".checkpoints/deaths")
# Validation images whose reconstructions are compared.
COMPARED = 500


def main() -> None:
    """Read data/prepared, write studies/seeds/deaths/RATE.csv: a row a seed."""
    inputs = Inputs.read("deaths", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, required=True, help="the learning rate")
    rate = parser.parse_args().rate
    deaths, root = settings.load().deaths, params.load()
    chosen = root.model.convolutional
    own = {"epochs": deaths.epochs, "batch_size": chosen.batch_size, "learning_rate": rate}
    recipe = Run(**root.train.model_dump(exclude={"noise"}) | own)
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))

    # What the stage train measures a network by before it warns.
    of_mean_image = training.mean_image_loss(train, validation)
    checkpoint = Checkpoint(CHECKPOINTS / str(rate), inputs.fingerprint)
    rows = []
    with checkpoint.locked():
        for seed in range(1, deaths.seeds + 1):
            of_seed = recipe.model_copy(update={"seed": seed})
            kept = replace(checkpoint, name=f"{checkpoint.name}-{seed}")
            val_loss, spread = trained(chosen, of_seed, train, validation, kept)
            warned = val_loss >= of_mean_image
            rows.append({"seed": seed, "val_loss": val_loss, "spread": spread, "warned": warned})
            print(f"rate {rate:g}, seed {seed}: validation {val_loss:.5f}", flush=True)
        inputs.check()
        artifacts.write_csv(STUDY / f"deaths/{rate}.csv", pd.DataFrame(rows))
        checkpoint.clear()


def trained(
    chosen: Convolutional, recipe: Run, train: Images, validation: Images, checkpoint: Checkpoint
) -> tuple[float, float]:
    """Train one network; return its validation loss and the spread of its answers.

    That is the standard deviation over validation images of the pixel that differs most: 0 where every
    image gets the same answer.
    """
    network = convolutional.build(chosen.filters, train.shape[1:], recipe.seed).network
    history = training.fit(tasks.reconstruction(network), train, validation, recipe, checkpoint)
    answers = predict(network, validation[:COMPARED])
    return float(history["val_loss"].min()), float(answers.std(axis=0).max())


if __name__ == "__main__":
    command.run(main)
