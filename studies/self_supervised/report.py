"""Compare all codes: accuracies, reconstructions, and what training costs."""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

import keras
import pandas as pd
from pydantic import Field

from cae.core import files
from cae.core.config import Section
from cae.figures import codes
from cae.networks import self_supervised
from cae.networks.autoencoder import ENCODER, load
from cae.networks.settings import Epochs
from stages.prepared_images import read_images
from stages.runner.project import Project, Results
from studies.self_supervised import PREPARED, SUPERVISED, figures

# Features of the main pipeline's baselines.
BASELINES = ("pixels", "PCA")
# In the figure of accuracies by labels, whose lines have four styles.
SHOWN = {
    "prototypes": "prototypes and visual words, 128 numbers",
    "default": "default network, 128 numbers",
    "hog": "HOG, 1,296 numbers",
    "supervised": "supervised (all labels), 128 numbers",
}
VIEWS = {"contrastive": 2, "vicreg": 2}
# In the metrics.
NAMES = ("contrastive", "vicreg", "masked", "words", "prototypes", "contrastive_joint", "prototypes_joint")


class Settings(Section):
    """What the stage reads of params.yaml."""

    compared: Annotated[tuple[str, ...], Field(strict=False)]
    networks: Mapping[str, self_supervised.Settings]
    epochs: Mapping[str, Epochs]


def report(project: Project, settings: Settings) -> Results:
    """Return the table of all codes, and figures."""
    names = sorted([*settings.networks, *settings.compared])
    runs = {name: json.loads(project.path(f"runs/{name}.json").read_text()) for name in names}
    baselines = files.read_csv(project.path("../../data/baselines") / "accuracies.csv")
    table = tabulate(runs, baselines)
    cost = tabulate_cost(project, settings, runs)
    print(f"prototypes: accuracy of the linear probe {runs['prototypes']['mean']['linear_all']:.4f}")
    return {
        "metrics/self_supervised.json": summarise(runs),
        "plots/codes.csv": table,
        "plots/cost.csv": cost,
        "plots/curves/accuracy.png": codes.plot_probe_accuracy(to_probes(runs), SHOWN),
        "plots/curves/cost.png": figures.plot_cost(cost),
    }


def summarise(runs: Mapping[str, Any]) -> dict[str, float]:
    """Return the accuracy of linear probes on the codes of each network with all labels, and with ten."""
    metrics = {name: runs[name]["mean"]["linear_all"] for name in NAMES}
    return metrics | {"prototypes_10": runs["prototypes"]["mean"]["linear_10"]}


def tabulate(runs: Mapping[str, Any], baselines: pd.DataFrame) -> pd.DataFrame:
    """Tabulate every kind of codes: features, numbers, mse, and mean and sd of each probe by labels."""
    rows = [
        {"features": name, "numbers": run["numbers"], "mse": run.get("mse")} | flatten(run)
        for name, run in runs.items()
    ]
    for name in BASELINES:
        row: dict[str, Any] = {"features": name}
        for one in baselines[baselines["features"] == name].itertuples():
            row[f"{one.probe}_{one.labels_per_class}"] = one.mean
            row[f"{one.probe}_{one.labels_per_class}_sd"] = one.sd
        rows.append(row)
    return pd.DataFrame(rows)


def flatten(run: Mapping[str, Any]) -> dict[str, float]:
    """Return the accuracies of a run as columns."""
    return {**run["mean"], **{f"{name}_sd": value for name, value in run["sd"].items()}}


def to_probes(runs: Mapping[str, Any]) -> pd.DataFrame:
    """Return the accuracies of the codes in the figure as `probes.tabulate_accuracies` tabulates them."""
    return pd.DataFrame(
        {
            "probe": key.partition("_")[0],
            "features": name,
            "labels_per_class": key.partition("_")[2],
            "mean": mean,
            "sd": runs[name]["sd"].get(key, float("nan")),
        }
        for name in SHOWN
        for key, mean in runs[name]["mean"].items()
    )


def tabulate_cost(project: Project, settings: Settings, runs: Mapping[str, Any]) -> pd.DataFrame:
    """Tabulate what training costs: name, task, epochs, multiplications of the encoder, accuracies.

    A step costs three times as many as the encoder, for each view: forward, and the gradients of inputs and
    of weights. Those of the decoder, of projections and of targets are not counted.
    """
    images = read_images(project, PREPARED, "train")
    rows = []
    for name, network in settings.networks.items():
        if network.reconstruction or name == SUPERVISED:
            continue
        encoder = load(project.path(f"models/{name}.keras"), images.shape[1:]).network.get_layer(ENCODER)
        each = 3 * VIEWS.get(network.task, 1) * count_multiplications(encoder)
        rows.append(
            {
                "name": name,
                "task": network.task,
                "epochs": settings.epochs[name],
                "multiplications": float(each) * len(images) * settings.epochs[name],
                "linear_all": runs[name]["mean"]["linear_all"],
                "linear_10": runs[name]["mean"]["linear_10"],
            }
        )
    return pd.DataFrame(rows)


def count_multiplications(network: keras.Model) -> int:
    """Count the multiplications of the convolutions and dense layers of a network for one image."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            total += count_multiplications(layer)
        elif isinstance(layer, keras.layers.Conv2D):
            total += math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Dense):
            total += math.prod(layer.kernel.shape)
    return total
