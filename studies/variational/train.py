"""Train the variational network with one weight of the divergence."""

import argparse
import shutil
from pathlib import Path

from cae.ground import artifacts, params, splits
from cae.networks.autoencoder import load
from stages import MODELS, PREPARED, command
from stages import train as train_stage
from stages.inputs import Inputs
from studies import pipeline
from studies.variational import STUDY, settings


def main() -> None:
    """Read data/, write the trained network, studies/variational/models/BETA.keras."""
    inputs = Inputs.read("train", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beta", type=float, required=True, help="what a nat of the divergence weighs")
    beta = parser.parse_args().beta
    epochs = settings.load().epochs
    changes = {
        "model.name": "variational",
        "model.variational.beta": beta,
        "train.epochs": epochs,
        # The bound of validation pictures is drawn, and rises slowly: the cosine is gone through to its end.
        "train.patience": epochs,
    }
    # Kept until the network is trained: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/variational/{beta}")
    pipeline.run(folder, pipeline.changed(params.load(), changes), (train_stage,))
    image_shape = splits.images(PREPARED, "train").shape[1:]
    network = load(folder / MODELS / "autoencoder.keras", image_shape).network
    inputs.check()
    artifacts.write_model(STUDY / f"models/{beta}.keras", network)
    shutil.rmtree(folder)


if __name__ == "__main__":
    command.run(main)
