"""Train the variational network with one weight of the divergence, which rises over the first epochs."""

import argparse
from contextlib import closing
from pathlib import Path

from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, params, splits
from stages import PREPARED, command
from stages.inputs import Inputs
from stages.train import Bar
from studies.variational import STUDY, gated, settings, weighted
from studies.variational.rising import Rising
from studies.variational.settings import Study


def main() -> None:
    """Read data/, write the trained network, studies/variational/models/BETA.keras."""
    inputs = Inputs.read("train", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beta", type=float, required=True, help="what a nat of the divergence weighs")
    beta = parser.parse_args().beta
    study = settings.load()
    recipe = run(study, params.load().train)
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    network = gated.build(study.code_size, study.width, train.shape[1:], recipe.seed)
    divergence = Rising(beta, study.rise)
    # Killed, it goes on after its last finished epoch.
    checkpoint = Checkpoint(Path(f".checkpoints/variational/{beta}"), inputs.fingerprint)
    with checkpoint.locked(), closing(Bar(recipe.epochs)) as bar:
        training.fit(
            weighted.task(network, study.codes, divergence.weight),
            train,
            validation,
            recipe,
            checkpoint,
            callbacks=[divergence, bar],
        )
        inputs.check()
        artifacts.write_model(STUDY / f"models/{beta}.keras", network.network)
        checkpoint.clear()


def run(study: Study, common: params.Train) -> params.Run:
    """Return how the network is trained: as the study says, and else as every network is."""
    return params.Run(
        batch_size=study.batch_size,
        learning_rate=study.learning_rate,
        # It rises in the first epoch, as the residual network's does.
        warm_up=1,
        epochs=study.epochs,
        # The bound of validation pictures is drawn, and rises slowly: the cosine is gone through to its end.
        patience=study.epochs,
        shards=common.shards,
        seed=common.seed,
        engine=common.engine,
    )


if __name__ == "__main__":
    command.run(main)
