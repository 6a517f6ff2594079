"""Train the default network for a moment with many seeds at one learning rate, and measure each."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cae.engine import tasks, training
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, params, splits
from cae.ground.arrays import Images
from cae.ground.params import Run
from cae.networks import convolutional
from cae.networks.autoencoder import predict
from stages import PREPARED, command
from stages.inputs import Inputs
from studies.seeds import STUDY, settings

# Validation images whose reconstructions are compared.
COMPARED = 500


def main() -> None:
    """Read data/prepared, write studies/seeds/deaths/RATE.csv: a row a seed."""
    inputs = Inputs.read("deaths", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, required=True, help="the learning rate at the start")
    rate = parser.parse_args().rate
    deaths = settings.load().deaths
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    # Who does no better has learned nothing of single images: the stage train warns by it too.
    of_mean_image = training.mean_image_loss(train, validation)

    checkpoint = Checkpoint(Path(f".checkpoints/deaths/{rate}"), inputs.fingerprint)
    rows = []
    with checkpoint.locked():
        for seed in range(1, deaths.seeds + 1):
            # Kept until all are trained: killed, the stage goes on after its last finished epoch.
            kept = replace(checkpoint, name=f"{checkpoint.name}-{seed}")
            val_loss, spread = trained(recipe(rate, deaths.epochs, seed), train, validation, kept)
            rows.append(
                {"seed": seed, "val_loss": val_loss, "mean_image_loss": of_mean_image, "spread": spread}
            )
            print(f"rate {rate:g}, seed {seed}: validation {val_loss:.5f}", flush=True)
        inputs.check()
        artifacts.write_csv(STUDY / f"deaths/{rate}.csv", pd.DataFrame(rows))
        checkpoint.clear()


def recipe(rate: float, epochs: int, seed: int) -> Run:
    """Return how one network is trained: as in params.yaml, but for what is given."""
    root = params.load()
    return Run(
        epochs=epochs,
        # The learning rate falls to its end in every one.
        patience=epochs,
        batch_size=root.model.convolutional.batch_size,
        learning_rate=rate,
        shards=root.train.shards,
        engine=root.train.engine,
        seed=seed,
    )


def trained(chosen: Run, train: Images, validation: Images, checkpoint: Checkpoint) -> tuple[float, float]:
    """Train one network; return its least validation loss and the spread of its answers to validation."""
    filters = params.load().model.convolutional.filters
    network = convolutional.build(filters, train.shape[1:], chosen.seed).network
    history = training.fit(tasks.reconstruction(network), train, validation, chosen, checkpoint)
    return float(history["val_loss"].min()), spread(predict(network, validation[:COMPARED]))


def spread(answers: Images) -> float:
    """Return how much answers (N, H, W, 1) differ: the greatest standard deviation of a pixel over images."""
    return float(answers.std(axis=0, dtype=np.float64).max())


if __name__ == "__main__":
    command.run(main)
