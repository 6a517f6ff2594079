"""Train the convolutional autoencoder: images in, the same images out."""

import sys
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path

import pandas as pd

from cae.engine import training, workers
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, params, splits
from cae.ground.arrays import Images
from cae.ground.errors import UserError
from cae.networks import convolutional
from cae.networks.autoencoder import Autoencoder
from stages import MODELS, PLOTS, PREPARED, command, progress
from stages.inputs import Inputs


def main() -> None:
    """Read data/prepared, write models/, metrics/train.json and, after every epoch, plots/history.csv."""
    inputs = Inputs.read("train")
    settings = params.load()
    recipe, filters = settings.train, settings.model.filters
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    check_code(filters, train)
    checkpoint = Checkpoint(Path(".checkpoints"), inputs.fingerprint)

    strategy = workers.strategy()
    workers.check_same(strategy, inputs.parts)
    workers.check_shards(strategy, recipe.shards)
    chief = workers.is_chief(strategy)
    with checkpoint.locked() if chief else nullcontext(), strategy.scope(), workers.explained():
        autoencoder = convolutional.build(filters, train.shape[1:], recipe.seed)
        with closing(progress.Bar(recipe.epochs)) as bar:
            history = training.fit(
                autoencoder.network,
                train,
                validation,
                recipe,
                checkpoint,
                # Only one worker shows and writes anything.
                callbacks=[bar] if chief else [],
                record=partial(artifacts.write_csv, PLOTS / "history.csv") if chief else None,
            )
        best = history.iloc[int(history["val_loss"].argmin())]
        if chief:
            inputs.check()
            write(autoencoder, best)
            checkpoint.clear()
    print(f"best epoch {int(best['epoch'])}: validation {best['val_loss']:.5f}")
    warn(float(best["val_loss"]), training.mean_image_loss(train, validation), recipe)


def check_code(filters: tuple[int, ...], train: Images) -> None:
    """Raise UserError if PCA, fitted to the training images, could not have as many numbers as the code."""
    size, most = convolutional.code_size(filters, train.shape[1:]), min(len(train), train[0].size)
    if size > most:
        raise UserError(
            f"model.filters is {list(filters)}, which gives a code of {size} numbers, but PCA, which it is "
            f"compared with, has at most {most} here: the last number of filters may be at most "
            f"{most * filters[-1] // size}"
        )


def write(autoencoder: Autoencoder, best: "pd.Series[float]") -> None:
    """Write models/ and metrics/train.json."""
    artifacts.write_model(MODELS / "autoencoder.keras", autoencoder.network)
    artifacts.write_model(MODELS / "encoder.keras", autoencoder.encoder)
    artifacts.write_json(
        Path("metrics/train.json"),
        {
            "best_epoch": int(best["epoch"]),
            "loss": float(best["loss"]),
            "val_loss": float(best["val_loss"]),
        },
    )


def warn(val_loss: float, of_mean_image: float, recipe: params.Train) -> None:
    """Say so where the network has learned nothing of single images, and what to change."""
    if val_loss >= of_mean_image:
        print(
            f"warning: the network is no better than the mean image (validation {val_loss:.5f} against "
            f"{of_mean_image:.5f}): lower train.learning_rate, which is {recipe.learning_rate:g}, raise "
            "train.epochs or change train.seed in params.yaml",
            file=sys.stderr,
        )


if __name__ == "__main__":
    command.run(main)
