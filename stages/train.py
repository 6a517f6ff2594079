"""Train the convolutional autoencoder: images in, the same images out."""

from contextlib import closing, nullcontext
from pathlib import Path

import keras
import pandas as pd

from cae import artifacts, checkpoints, metrics, models, params, splits, training, workers
from cae.arrays import Images
from stages import command, progress

PREPARED = Path("data/prepared")


def main() -> None:
    """Read data/prepared, write models/, metrics/train.json and plots/history.csv."""
    recipe = params.load().train
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    parts = fingerprints(recipe)
    checkpoint = checkpoints.Checkpoint(Path(".checkpoints"), checkpoints.fingerprint([], parts))

    strategy = workers.strategy()
    workers.check_same(strategy, parts)
    workers.check_shards(strategy, recipe.shards)
    chief = workers.is_chief(strategy)
    with checkpoint.locked() if chief else nullcontext(), strategy.scope(), workers.explained():
        network = models.autoencoder(recipe.seed)
        with closing(progress.Bar(recipe.epochs)) as bar:
            listeners = [bar] if chief else []
            history = training.fit(network, train, validation, recipe, checkpoint, listeners)
        best = history.iloc[int(history["val_loss"].argmin())]
        if chief:
            write(network, history, best, validation)
            checkpoint.clear()
    print(f"best epoch {int(best['epoch'])}: validation {best['val_loss']:.5f}")


def fingerprints(recipe: params.Train) -> dict[str, str]:
    """Name the content of all that this run depends on: the same on every machine that works on it."""
    images = [PREPARED / f"{name}_images.npy" for name in ("train", "validation")]
    code = [*checkpoints.code(), Path("stages/train.py")]
    return {
        f"images in {PREPARED}": checkpoints.fingerprint(images, {}),
        "values of train in params.yaml": checkpoints.fingerprint([], recipe.model_dump()),
        "code (cae/, stages/train.py, requirements.txt)": checkpoints.fingerprint(code, {}),
    }


def write(
    network: keras.Sequential, history: pd.DataFrame, best: "pd.Series[float]", validation: Images
) -> None:
    """Write models/, metrics/train.json and plots/history.csv."""
    artifacts.write_model(Path("models/autoencoder.keras"), network)
    artifacts.write_model(Path("models/encoder.keras"), models.encoder(network))
    artifacts.write_csv(Path("plots/history.csv"), history)
    artifacts.write_json(
        Path("metrics/train.json"),
        {
            "epochs": len(history),
            "best_epoch": int(best["epoch"]),
            "loss": float(best["loss"]),
            "val_loss": float(best["val_loss"]),
            "val_loss_floor": float(metrics.floor(validation).mean()),
            "parameters": network.count_params(),
            "code_size": models.CODE_SIZE,
        },
    )


if __name__ == "__main__":
    command.run(main)
