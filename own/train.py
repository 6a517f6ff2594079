"""Train the chosen autoencoder on a project's normal pictures, from nothing or from a saved network."""

from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

import keras
from cae.core.params import Model, Residual, Run, Variational

from cae.core import files, words
from cae.core.errors import UserError
from cae.datasets import prepared
from cae.engine import family, training, workers
from cae.engine.checkpoints import Checkpoint
from cae.networks.autoencoder import load
from own import project_folder, settings
from stages import MODELS, PLOTS, PREPARED
from stages.inputs import Inputs, from_here, mapping
from stages.train import Bar, warn

# Numbers that the widest layer gives for one batch, at most: of all layers it is a few times that.
MOST_NUMBERS = 2**28


def main() -> None:
    """Read PROJECT/data/prepared, write PROJECT/models, metrics/train.json and plots/history.csv."""
    project = project_folder()
    inputs = Inputs.read("train", project)
    whole = settings.load(project)
    train, validation = (prepared.images(project / PREPARED, side) for side in ("train", "validation"))
    begun = beginning(project, whole.train.start_from)
    checkpoint = Checkpoint(project / ".checkpoints", inputs.fingerprint)

    strategy = workers.build_strategy()
    workers.check_same(strategy, inputs.parts)
    workers.check_shards(strategy, whole.run.shards)
    chief = workers.is_chief(strategy)
    with checkpoint.lock() if chief else nullcontext(), strategy.scope(), workers.explain_failures():
        check_weights(whole.model, train[0].size)
        autoencoder = family.build(whole.model, train.shape[1:], whole.run.seed)
        check_memory(whole.run, whole.model.name, training.find_largest_output(autoencoder.network))
        if begun is not None:
            take_weights(autoencoder.network, begun)
        task = family.task(whole.model, autoencoder, whole.run.engine)
        with closing(Bar(whole.run.epochs)) as bar:
            history = training.fit(
                task,
                train,
                validation,
                whole.run,
                checkpoint,
                callbacks=[bar] if chief else [],
                record=partial(files.write_csv, project / PLOTS / "history.csv") if chief else None,
            )
        best = history.iloc[int(history[training.get_monitor(task.losses)].argmin())]
        if chief:
            inputs.check()
            files.write_model(project / MODELS / "autoencoder.keras", autoencoder.network)
            files.write_model(project / MODELS / "encoder.keras", autoencoder.encoder)
            reached = {"best_epoch": int(best["epoch"]), "val_loss": float(best["val_loss"])}
            files.write_json(project / "metrics/train.json", reached)
            checkpoint.clear()
    print(f"best epoch {int(best['epoch'])}: validation {best['val_loss']:.5f}")
    warn(float(best["val_loss"]), training.compute_mean_image_loss(train, validation), whole.run)


def check_weights(model: Model, numbers: int) -> None:
    """Raise UserError where the matrices of a network with dense layers would take many gigabytes."""
    chosen = model.chosen
    if isinstance(chosen, Residual | Variational) and 2 * numbers * chosen.width > MOST_NUMBERS:
        raise UserError(
            f"pieces have {numbers:,} numbers, too many for the matrices of model.{model.name} with a width "
            f"of {chosen.width:,}: choose model.name convolutional in params.yaml, lower the width, cut the "
            "pictures (data.tiles), or make them smaller (data.size)"
        )


def check_memory(run: Run, name: str, widest: int) -> None:
    """Raise UserError where one batch, which cannot be cut, would take many gigabytes."""
    if run.batch_size * widest > MOST_NUMBERS:
        raise UserError(
            f"a layer of the network gives {widest:,} numbers for a piece, and a batch has "
            f"{words.pluralize(run.batch_size, 'piece')}: {MOST_NUMBERS:,} numbers are the most. Lower "
            f"model.{name}.batch_size in params.yaml, cut the pictures (data.tiles), or make them smaller "
            "(data.size)"
        )


def beginning(project: Path, start_from: str | None) -> keras.Model | None:
    """Load the network to begin with, if any.

    Raises:
        UserError: it cannot be loaded, or dvc.yaml does not say that training depends on it.
    """
    if start_from is None:
        return None
    path = from_here(project, start_from)
    declared = mapping(project / "dvc.yaml")["stages"]["train"]["deps"]
    if path not in [from_here(project, entry) for entry in declared]:
        raise UserError(
            f"train.start_from is {start_from}, which the stage train of {project / 'dvc.yaml'} does not "
            f"name: add `- {start_from}` to its deps, so that DVC trains again when it changes"
        )
    return load(path).network


def take_weights(network: keras.Model, begun: keras.Model) -> None:
    """Set a network's weights to those of another one.

    Raises:
        UserError: their shapes differ.
    """
    shapes = [[weight.shape for weight in model.get_weights()] for model in (network, begun)]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"train.start_from has weights of the shapes {shapes[1]}, but the network to train "
            f"{shapes[0]}: choose the network in params.yaml as that one was (model, data.channels; of a "
            "network with dense layers the size of the pictures, too)"
        )
    network.set_weights(begun.get_weights())
