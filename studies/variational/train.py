"""Train the variational network with one weight of the divergence, which rises over the first epochs."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, params, splits
from stages import PREPARED, command
from stages.inputs import Inputs
from stages.train import Bar
from studies import pipeline
from studies.variational import STUDY, gated, settings, weighted


def main() -> None:
    """Read data/, write the trained network, studies/variational/models/BETA.keras."""
    inputs = Inputs.read("train", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beta", type=float, required=True, help="what a nat of the divergence weighs")
    beta = parser.parse_args().beta
    study = settings.load()
    chosen = pipeline.changed(params.load(), changes(study))
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    network = gated.build(chosen.model.variational.code_size, study.width, train.shape[1:], chosen.train.seed)
    divergence = weighted.Rising(beta, study.rise)
    # Killed, it goes on after its last finished epoch.
    checkpoint = Checkpoint(Path(f".checkpoints/variational/{beta}"), inputs.fingerprint)
    with checkpoint.locked(), closing(Bar(study.epochs)) as bar:
        training.fit(
            weighted.task(network, study.codes, divergence.weight),
            train,
            validation,
            params.run(chosen),
            checkpoint,
            callbacks=[divergence, bar],
        )
        inputs.check()
        artifacts.write_model(STUDY / f"models/{beta}.keras", network.network)
        checkpoint.clear()


def changes(study: settings.Study) -> dict[str, Any]:
    """Return what differs from the root's params.yaml."""
    return {
        "model.name": "variational",
        "model.variational.batch_size": study.batch_size,
        "model.variational.learning_rate": study.learning_rate,
        "train.epochs": study.epochs,
        # The bound of validation pictures is drawn, and rises slowly: the cosine is gone through to its end.
        "train.patience": study.epochs,
    }


if __name__ == "__main__":
    command.run(main)
