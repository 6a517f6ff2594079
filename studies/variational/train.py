"""Train the variational network with a weight of the divergence that rises over the first epochs."""

import argparse
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from cae.engine import family, tasks, training
from cae.engine.checkpoints import Checkpoint
from cae.engine.tasks import Task
from cae.ground import artifacts, params, splits
from stages import PREPARED, command
from stages.inputs import Inputs
from stages.train import Bar
from studies import pipeline
from studies.variational import STUDY, settings


def main() -> None:
    """Read data/, write the trained network, studies/variational/models/BETA.keras."""
    inputs = Inputs.read("train", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beta", type=float, required=True, help="what a nat of the divergence weighs")
    beta = parser.parse_args().beta
    study = settings.load()
    chosen = pipeline.changed(params.load(), changes(study))
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    network = family.build(chosen.model, train.shape[1:], chosen.train.seed)
    divergence = Rising(beta, study.rise)
    # Killed, it goes on after its last finished epoch.
    checkpoint = Checkpoint(Path(f".checkpoints/variational/{beta}"), inputs.fingerprint)
    with checkpoint.locked(), closing(Bar(study.epochs)) as bar:
        training.fit(
            rising(family.task(chosen.model, network), divergence),
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
        "model.variational.learning_rate": study.learning_rate,
        "train.epochs": study.epochs,
        # The bound of validation pictures is drawn, and rises slowly: the cosine is gone through to its end.
        "train.patience": study.epochs,
    }


class Rising(keras.callbacks.Callback):
    """A weight that rises in equal steps over the first epochs; what validation sees is always all of it.

    Numbers of a code that do not pay for themselves at once are then not given up before the decoder has
    learned to use them: Sønderby et al., Ladder Variational Autoencoders (2016),
    https://arxiv.org/abs/1602.02282, section 2.3.
    """

    def __init__(self, full: float, epochs: int) -> None:
        super().__init__()
        self.full, self.epochs = full, epochs
        self.weight = tf.Variable(full, trainable=False, dtype=tf.float32)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the next step."""
        self.weight.assign(self.full * min(1.0, (epoch + 1) / self.epochs))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Weigh in full once all images were trained on."""
        assert logs is not None
        if logs["epoch_share"] >= 1:
            self.weight.assign(self.full)


def rising(task: Task, divergence: Rising) -> Task:
    """Return a task of generation in which the divergence has a weight that rises."""
    objective = partial(tasks.negative_evidence, divergence.weight)
    return task._replace(losses={**task.losses, "objective": objective})


if __name__ == "__main__":
    command.run(main)
