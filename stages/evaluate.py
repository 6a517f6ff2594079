"""Measure the autoencoder on the test split, beside its floor and its baselines."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cae.core import files
from cae.datasets import splits
from cae.figures import reconstructions
from cae.figures.reconstructions import Method
from cae.metrics import baselines, quality
from cae.metrics.baselines import PrincipalComponents
from cae.networks.autoencoder import load, predict
from stages import BASELINES, MODELS, PLOTS, PREPARED
from stages.inputs import Inputs

PICTURES = PLOTS / "reconstructions"
OURS = "autoencoder"
COMPARED = ("bce", "bce_above_floor", "mse", "mae", "psnr", "ssim")


def main() -> None:
    """Read the model, its history, the baselines and the test split; write metrics/ and plots/."""
    inputs = Inputs.read("evaluate")
    history, floors = (files.read_csv(path) for path in (PLOTS / "history.csv", BASELINES / "floors.csv"))
    floor, validation_floor = (
        float(floors.set_index("split")["floor"][name]) for name in ("test", "validation")
    )
    # Labels only break results down by class.
    test, labels = splits.images(PREPARED, "test"), splits.labels(PREPARED, "test")
    class_names = splits.class_names(PREPARED)
    autoencoder = load(MODELS / "autoencoder.keras", test.shape[1:])
    mean_image, components = baselines.read(BASELINES)
    pca = PrincipalComponents(autoencoder.code_size, components)

    reconstructed = predict(autoencoder.network, test)
    images = {OURS: reconstructed, "PCA": pca.reconstruct(test), "mean image": mean_image.reconstruct(test)}
    costs = {OURS: (autoencoder.code_size, autoencoder.network.count_params())} | {
        name: (baseline.code_size, baseline.parameters)
        for name, baseline in (("PCA", pca), ("mean image", mean_image))
    }
    methods = [Method(name, *costs[name], quality.mse(test, images[name])) for name in images]
    scores = {name: quality.summarise(test, images[name]) for name in images}

    inputs.check()
    compared = {name: scores[OURS][name] for name in COMPARED}
    over_pca = {"mse_over_pca": scores[OURS]["mse"] / scores["PCA"]["mse"]}
    files.write_json(Path("metrics/evaluate.json"), compared | over_pca)
    files.write_csv(PLOTS / "reconstruction.csv", beside_the_floor(scores, costs, floor))
    by_class = reconstructions.tabulate_class_errors(methods, labels, class_names)
    files.write_csv(PLOTS / "error_by_class.csv", by_class)
    files.write_csv(PLOTS / "error_percentiles.csv", reconstructions.tabulate_error_percentiles(methods[:2]))
    for name, figure in {
        "loss_curves": reconstructions.plot_loss_curves(history, floor_if_below(history, validation_floor)),
        "examples": reconstructions.plot_class_examples(test, reconstructed, labels, class_names),
        "extremes": reconstructions.plot_extremes(test, reconstructed, labels, class_names),
        "error_by_class": reconstructions.plot_error_by_class(methods, labels, class_names),
        "error_distribution": reconstructions.plot_error_distribution(methods[:2]),
    }.items():
        files.write_figure(PICTURES / f"{name}.png", figure)
    print(
        f"test binary cross-entropy {scores[OURS]['bce']:.5f}, floor {floor:.5f}; "
        f"PCA at the same code size {scores['PCA']['bce']:.5f}"
    )


def floor_if_below(history: pd.DataFrame, floor: float) -> float | None:
    """Return the floor if every loss lies above it.

    A tiny validation split can have a floor above the loss of other images: no axis begins there.
    """
    return floor if floor < history[["loss", "val_loss"]].to_numpy().min() else None


def beside_the_floor(
    scores: Mapping[str, Mapping[str, float]], costs: Mapping[str, tuple[int, int]], floor: float
) -> pd.DataFrame:
    """Tabulate what each method costs and scores, last what a perfect reconstruction would score."""
    rows = [
        {"method": name, "code_size": costs[name][0], "parameters": costs[name][1], **scores[name]}
        for name in scores
    ]
    perfect = {"bce": floor, "bce_above_floor": 0.0, "mse": 0.0, "mae": 0.0, "ssim": 1.0}
    table = pd.DataFrame([*rows, {"method": "floor", **perfect}])
    # A floor has neither: whole numbers that can be missing.
    return table.astype(dict.fromkeys(("code_size", "parameters"), "Int64"))
