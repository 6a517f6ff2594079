"""Train the chosen autoencoder on the training images: no label and no test image is read."""

import sys
from collections.abc import Callable
from contextlib import closing, nullcontext
from functools import partial
from typing import Any

import keras
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cae.core import files
from cae.core.arrays import Images
from cae.core.config import Section
from cae.core.errors import UserError
from cae.engine import training, workers
from cae.engine.engine import choose_engine
from cae.networks import settings as networks
from cae.networks.autoencoder import Autoencoder, load
from cae.networks.model import Model
from cae.networks.settings import Recipe
from cae.networks.tasks import Task
from stages.prepared_images import read_training_images
from stages.runner.project import PREPARED, Project, Results

HISTORY = "plots/history.csv"


class Train(networks.Train):
    """Training, and a saved network whose weights it starts from."""

    start_from: str | None = None


class Settings(Section):
    """What the stage reads of params.yaml."""

    model: Model
    train: Train


def train(project: Project, settings: Settings) -> Results:
    """Return the trained networks, the losses of the best epoch, and the history, a row per epoch."""
    images, validation = read_training_images(project, PREPARED)
    record = partial(files.write_csv, project.folder / HISTORY)
    autoencoder, history = train_network(
        project, settings.model, settings.train, images, validation, record=record
    )
    best = find_best(history)
    print(f"best epoch {int(best['epoch'])}: validation {describe_losses(best)}")
    warn_if_nothing_learned(
        float(best["val_loss"]), training.compute_mean_image_loss(images, validation), settings
    )
    # Only one worker writes results.
    if not workers.is_chief():
        return {}
    return {
        "models/autoencoder.keras": autoencoder.network,
        "models/encoder.keras": autoencoder.encoder,
        "metrics/train.json": summarise(best),
        HISTORY: history,
    }


def train_network(
    project: Project,
    model: Model,
    train: Train,
    images: Images,
    validation: Images,
    name: str = "",
    record: Callable[[pd.DataFrame], None] | None = None,
) -> tuple[Autoencoder, pd.DataFrame]:
    """Train a network, or resume a training that was killed.

    Args:
        project: keeps the checkpoint.
        model: which network, and its settings.
        train: how it is trained.
        images: (N, H, W, C) float32 in [0, 1], may be memory-mapped.
        validation: likewise.
        name: tells the checkpoints of several networks of one stage apart.
        record: gets the history so far after every epoch.

    Returns:
        The network with the weights of its best epoch, and the history, a row per epoch.

    Raises:
        UserError: the network is too large for such images, a saved network to start from does not fit, or
            training failed.
    """
    recipe = networks.combine(train, model.settings)
    strategy = workers.build_strategy()
    workers.check_same(strategy, project.inputs.parts if project.inputs else {})
    with strategy.scope(), workers.explain_failures():
        autoencoder = model.build(images.shape[1:], recipe.seed)
        if train.start_from is not None:
            copy_weights(load(project.path(train.start_from)).network, autoencoder.network)
        task = model.task(autoencoder, choose_engine(recipe.engine))
        history = fit_task(project, task, recipe, images, validation, name, record)
    return autoencoder, history


def fit_task(
    project: Project,
    task: Task,
    recipe: Recipe,
    images: Images,
    validation: Images,
    name: str = "",
    record: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Train a task's network in place, or resume a training that was killed; return the history.

    Call it in the scope of the `tf.distribute` strategy to use. Arguments and errors are those of
    `train_network`.
    """
    checkpoint = project.checkpoint(name)
    # Only one worker shows and writes anything.
    chief = workers.is_chief()
    with checkpoint.lock() if chief else nullcontext(), closing(ProgressBar(recipe.epochs)) as bar:
        return training.fit(
            task,
            images,
            validation,
            recipe,
            checkpoint,
            callbacks=[bar] if chief else [],
            record=record if chief else None,
        )


def find_best(history: pd.DataFrame) -> "pd.Series[float]":
    """Return the row of the epoch with the lowest validation value of what was minimised."""
    monitor = "val_objective" if "val_objective" in history else "val_loss"
    return history.iloc[int(history[monitor].argmin())]


def summarise(best: "pd.Series[float]") -> dict[str, float]:
    """Return the metrics of the best epoch; the objective of a network cannot be compared with another's."""
    return {
        "best_epoch": int(best["epoch"]),
        "loss": float(best["loss"]),
        "val_loss": float(best["val_loss"]),
    }


def describe_losses(best: "pd.Series[float]") -> str:
    """Write the validation losses of an epoch; where the objective is another than cross-entropy, both."""
    loss = f"cross-entropy {best['val_loss']:.5f}"
    return f"{loss}, objective {best['val_objective']:.5f}" if "val_objective" in best else loss


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Set a network's weights to those of another one; UserError where their shapes differ."""
    shapes = [[weight.shape for weight in network.get_weights()] for network in (target, source)]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"train.start_from has weights of the shapes {shapes[1]}, but the network to train {shapes[0]}: "
            "choose the same network in params.yaml (model, data.channels; with dense layers the size of the "
            "images, too)"
        )
    target.set_weights(source.get_weights())


def warn_if_nothing_learned(val_loss: float, mean_image_loss: float, settings: Settings) -> None:
    """Warn where the network has learned nothing about single images, and say what to change."""
    if val_loss >= mean_image_loss:
        print(
            f"warning: the network is no better than the mean image (validation {val_loss:.5f} against "
            f"{mean_image_loss:.5f}): lower the network's learning_rate, "
            f"{settings.model.settings.learning_rate:g}, raise train.epochs or change train.seed in "
            "params.yaml",
            file=sys.stderr,
        )


class ProgressBar(keras.callbacks.Callback):
    """Shows the share of all epochs that is done, both losses and the time left without early stopping."""

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
            # A log file gets one line per epoch instead of a bar.
            disable=not console.is_terminal,
        )
        self.task = self.progress.add_task("", total=epochs, epoch=0, epochs=epochs, losses="")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start drawing."""
        self.progress.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show where a resumed run continues."""
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
