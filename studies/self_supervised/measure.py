"""Probe the codes of one network for the classes of the images."""

from typing import Any

import pandas as pd

from cae.core.arrays import Rows
from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.splits import Splits
from cae.metrics import probes, quality
from cae.networks.autoencoder import load, predict
from stages.runner.project import Project, Results
from studies.self_supervised import PREPARED


class Settings(Section):
    """What the stage reads of params.yaml."""

    probes: probes.Settings


def measure(project: Project, settings: Settings, name: str) -> Results:
    """Return the accuracy of probes, and the squared error of reconstructions."""
    images = prepared.read_all_images(project.path(PREPARED))
    network = load(project.path(f"models/{name}.keras"), images.test.shape[1:])
    rows = Splits(*map(network.encode, images))
    error = float(quality.mse(images.test, predict(network.network, images.test)).mean())
    return {f"runs/{name}.json": {"mse": error, **probe(project, settings.probes, name, rows)}}


def probe(project: Project, settings: probes.Settings, name: str, rows: Splits[Rows]) -> dict[str, Any]:
    """Return the accuracies of all probes on features: their means and their standard deviations."""
    folder = project.path(PREPARED)
    labels = Splits(*(prepared.read_labels(folder, split) for split in Splits._fields))
    outcomes = list(probes.run_probes({name: rows}, labels, settings))
    table = probes.tabulate_accuracies(outcomes, labels.test)
    table.index = pd.Index(table["probe"] + "_" + table["labels_per_class"])
    means, deviations = table["mean"].to_dict(), table["sd"].dropna().to_dict()
    print(f"{name}: accuracy of the linear probe {means['linear_all']:.4f}")
    return {"numbers": rows.test.shape[1], "mean": means, "sd": deviations}
