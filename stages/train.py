"""Train the chosen autoencoder: images in, the same images out."""

import sys
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cae.core import files, params, words
from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.datasets import splits
from cae.engine import family, training, workers
from cae.engine.checkpoints import Checkpoint
from cae.networks.autoencoder import Autoencoder
from stages import MODELS, PLOTS, PREPARED
from stages.inputs import Inputs


def main() -> None:
    """Read data/prepared, write models/, metrics/train.json and, after every epoch, plots/history.csv."""
    inputs = Inputs.read("train")
    settings = params.load()
    chosen = settings.model
    recipe = params.run(settings.train, chosen.chosen)
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    checkpoint = Checkpoint(Path(".checkpoints"), inputs.fingerprint)

    strategy = workers.build_strategy()
    workers.check_same(strategy, inputs.parts)
    workers.check_shards(strategy, recipe.shards)
    chief = workers.is_chief(strategy)
    with checkpoint.lock() if chief else nullcontext(), strategy.scope(), workers.explain_failures():
        autoencoder = family.build(chosen, train.shape[1:], recipe.seed)
        check_code(autoencoder.code_size, train, chosen.name)
        task = family.task(chosen, autoencoder, recipe.engine)
        with closing(Bar(recipe.epochs)) as bar:
            history = training.fit(
                task,
                train,
                validation,
                recipe,
                checkpoint,
                # Only one worker shows and writes anything.
                callbacks=[bar] if chief else [],
                record=partial(files.write_csv, PLOTS / "history.csv") if chief else None,
            )
        best = history.iloc[int(history[training.get_monitor(task.losses)].argmin())]
        if chief:
            inputs.check()
            write(autoencoder, best)
            checkpoint.clear()
    print(f"best epoch {int(best['epoch'])}: validation {best['val_loss']:.5f}")
    warn(float(best["val_loss"]), training.compute_mean_image_loss(train, validation), recipe)


def check_code(size: int, train: Images, name: str) -> None:
    """Raise UserError if PCA, fitted to the training images, could not have as many numbers as the code."""
    most = min(len(train), train[0].size)
    if size > most:
        raise UserError(
            f"model.{name} in params.yaml gives a code of {words.pluralize(size, 'number')}, but PCA, which "
            f"it is compared with, has at most {most} here: make the code smaller"
        )


def write(autoencoder: Autoencoder, best: "pd.Series[float]") -> None:
    """Write models/ and metrics/train.json."""
    files.write_model(MODELS / "autoencoder.keras", autoencoder.network)
    files.write_model(MODELS / "encoder.keras", autoencoder.encoder)
    losses = {str(name): float(value) for name, value in best.drop(["epoch", "learning_rate"]).items()}
    files.write_json(Path("metrics/train.json"), {"best_epoch": int(best["epoch"])} | losses)


def warn(val_loss: float, of_mean_image: float, recipe: params.Run) -> None:
    """Say so where the network has learned nothing of single images, and what to change."""
    if val_loss >= of_mean_image:
        print(
            f"warning: the network is no better than the mean image (validation {val_loss:.5f} against "
            f"{of_mean_image:.5f}): lower the network's learning_rate, {recipe.learning_rate:g}, raise "
            "train.epochs or change train.seed in params.yaml",
            file=sys.stderr,
        )


class Bar(keras.callbacks.Callback):
    """A bar over all epochs with loss, validation loss and the time left if training does not stop early."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("{task.fields[losses]}"),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            # A log file gets one line an epoch instead of a bar.
            disable=not console.is_terminal,
        )
        self.task = self.progress.add_task("", total=epochs, epoch=0, epochs=epochs, losses="")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start drawing."""
        self.progress.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show where a resumed run stands."""
        self.progress.update(self.task, completed=epoch, epoch=epoch + 1)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance by the share of the epoch that is done, `logs["epoch_share"]`."""
        assert logs is not None
        epoch = self.progress.tasks[0].fields["epoch"]
        self.progress.update(self.task, completed=epoch - 1 + logs["epoch_share"])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the losses of the finished epoch."""
        assert logs is not None
        losses = f"loss {logs['loss']:.5f}, validation {logs['val_loss']:.5f}"
        self.progress.update(self.task, completed=epoch + 1, losses=losses)
        if self.progress.disable:
            self.progress.console.print(f"epoch {epoch + 1}/{self.epochs}: {losses}", highlight=False)

    def close(self) -> None:
        """Leave the terminal as it was, also after an error."""
        self.progress.stop()
