"""Measure the autoencoder on the test split, beside its floor and its baselines."""

import json
from pathlib import Path

import pandas as pd

from cae import artifacts, figures, metrics, models, splits
from cae.baselines import MeanImage, PrincipalComponents
from cae.errors import UserError
from cae.figures import Method
from stages import command

PREPARED = Path("data/prepared")
PLOTS = Path("plots")


def main() -> None:
    """Read the model, its history and data/prepared, write metrics/evaluate.json and plots/."""
    history, validation_floor = training()
    network = models.load(Path("models/autoencoder.keras"), models.IMAGE_SHAPE)
    train, test = (splits.images(PREPARED, name) for name in ("train", "test"))
    # Labels only break results down by class.
    labels = splits.labels(PREPARED, "test")

    pca = PrincipalComponents(models.CODE_SIZE).fit(train)
    mean_image = MeanImage().fit(train)
    reconstructions = {
        "cae": models.reconstruct(network, test),
        "pca": pca.reconstruct(test),
        "mean_image": mean_image.reconstruct(test),
    }
    floor = float(metrics.floor(test).mean())
    scores = {name: metrics.summary(test, images) for name, images in reconstructions.items()}
    artifacts.write_json(Path("metrics/evaluate.json"), {"bce_floor": floor, **scores})

    errors = {name: metrics.mse(test, images) for name, images in reconstructions.items()}
    ours = Method("autoencoder", models.CODE_SIZE, network.count_params(), errors["cae"])
    components = Method(pca.name, pca.code_size, pca.parameters, errors["pca"])
    mean = Method(mean_image.name, mean_image.code_size, mean_image.parameters, errors["mean_image"])
    artifacts.write_csv(PLOTS / "error_by_class.csv", figures.class_errors([ours, components, mean], labels))
    artifacts.write_csv(PLOTS / "error_percentiles.csv", figures.error_percentiles([ours, components]))
    for name, figure in {
        "loss_curves": figures.loss_curves(history, validation_floor),
        "reconstructions": figures.reconstructions(test, reconstructions["cae"], labels),
        "extremes": figures.extremes(test, reconstructions["cae"], labels),
        "error_by_class": figures.error_by_class([ours, components, mean], labels),
        "error_distribution": figures.error_distribution([ours, components]),
    }.items():
        artifacts.write_figure(PLOTS / f"{name}.png", figure)
    print(
        f"test binary cross-entropy {scores['cae']['bce']:.5f}, floor {floor:.5f}; "
        f"PCA at the same code size {scores['pca']['bce']:.5f}"
    )


def training() -> tuple[pd.DataFrame, float | None]:
    """Read the history of training and the floor of its validation loss; None if the floor lies too high.

    Raises:
        UserError: a file is missing or is not what the train stage writes.
    """
    try:
        history = pd.read_csv(PLOTS / "history.csv")
        lowest = float(history[["loss", "val_loss"]].to_numpy().min())
        floor = float(json.loads(Path("metrics/train.json").read_bytes())["val_loss_floor"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"plots/history.csv and metrics/train.json, made by training, cannot be read ({error}). "
            "Make them again: dvc repro"
        ) from error
    # A tiny validation split can have a floor above the loss of other images: no axis begins there.
    return history, floor if floor < lowest else None


if __name__ == "__main__":
    command.run(main)
