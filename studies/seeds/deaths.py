"""Train the default network for a moment with many seeds: which ends dead, with one answer for all."""

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, params, splits
from cae.networks import family
from cae.networks.autoencoder import predict
from stages import PREPARED, command
from stages.inputs import Inputs
from studies.seeds import STUDY, settings

CHECKPOINTS = Path(".checkpoints/deaths")
# Images whose reconstructions are compared.
COMPARED = 500


def main() -> None:
    """Read data/prepared, write studies/seeds/deaths/RATE.csv: seed, val_loss, spread, warned."""
    inputs = Inputs.read("deaths", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, required=True, help="the learning rate")
    rate = parser.parse_args().rate
    chosen = settings.load().deaths
    root = params.load()
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    of_mean_image = training.mean_image_loss(train, validation)
    changes = {"epochs": chosen.epochs, "learning_rate": rate}
    checkpoint = Checkpoint(CHECKPOINTS / str(rate), inputs.fingerprint)
    rows = []
    with checkpoint.locked():
        for seed in range(1, chosen.seeds + 1):
            recipe = params.run(root).model_copy(update=changes | {"seed": seed})
            network = family.build(root.model, train.shape[1:], seed).network
            own = replace(checkpoint, name=f"{checkpoint.name}-{seed}")
            history = training.fit(network, train, validation, recipe, own, seen=root.train.noise)
            val_loss = float(history["val_loss"].min())
            # By pixel over images: 0 where every image gets the same answer.
            spread = float(predict(network, validation[:COMPARED]).std(axis=0).max())
            rows.append(
                {"seed": seed, "val_loss": val_loss, "spread": spread, "warned": val_loss >= of_mean_image}
            )
            print(f"rate {rate:g}, seed {seed}: validation {val_loss:.5f}, spread {spread:.3g}", flush=True)
        inputs.check()
        artifacts.write_csv(STUDY / f"deaths/{rate}.csv", pd.DataFrame(rows))
        checkpoint.clear()


if __name__ == "__main__":
    command.run(main)
