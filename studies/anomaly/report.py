"""Measure the scores of all ten classes, and compare them with published results."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from cae.core import files
from cae.core.arrays import Labels, Scores
from cae.datasets import prepared
from cae.figures import anomalies
from cae.metrics import detectors
from stages.runner.project import Project, Results
from studies.anomaly import columns, figures
from studies.anomaly.columns import Column
from studies.anomaly.methods import TITLES

MEASURES = ["auroc", "average_precision"]
# The ROC curves compare these scores of one transform; the first also ranks the images of the other figure.
SHOWN = ("self_supervised", "nearest", "reconstruction_error")
TRANSFORM = "roots"


def report(project: Project) -> Results:
    """Return the AUROC of every score, tables by method and by class, and figures."""
    folder = project.path("../../data/prepared")
    images, labels = prepared.read_images(folder, "test"), np.asarray(prepared.read_labels(folder, "test"))
    class_names = prepared.read_class_names(folder)
    scores = [columns.read(project.path("scores") / f"{label}.npy") for label in range(len(class_names))]
    published = files.read_csv(project.path("published.csv"), remake="git checkout studies")
    measured = measure(scores, labels, class_names)
    averages = summarise(measured)
    auroc = averages.xs(TRANSFORM, level="transform")["auroc"]
    table = compare(averages, published)
    shown = {
        TITLES[method]: [find_first(of_class, method, TRANSFORM) for of_class in scores] for method in SHOWN
    }
    top = averages.reset_index().sort_values("auroc").iloc[-1]
    print(
        f"best: {top['method']} on {top['transform']}, mean AUROC {top['auroc']:.2%} ± {top['auroc_sd']:.2%}"
    )
    return {
        "metrics/auroc.json": {str(name): float(auroc[name]) for name in auroc.index},
        "plots/table.csv": table,
        "plots/by_class.csv": tabulate_classes(measured),
        "plots/classes/methods.png": figures.plot_methods(table),
        "plots/classes/roc.png": anomalies.plot_roc_curves(
            shown, labels, class_names, "square roots of grey values, first seed"
        ),
        "plots/classes/extremes.png": anomalies.plot_ranking_ends(
            images, shown[TITLES[SHOWN[0]]], labels, class_names
        ),
    }


def find_first(scores: Mapping[Column, Scores], method: str, transform: str) -> Scores:
    """Return the scores of a method; of several seeds those of the first."""
    return next(values for column, values in scores.items() if column[:2] == (method, transform))


def measure(
    scores: Sequence[Mapping[Column, Scores]], labels: Labels, class_names: Sequence[str]
) -> pd.DataFrame:
    """Measure every column of every class: method, transform, seed (0 where none is), class and measures."""
    return pd.DataFrame(
        column._replace(seed=column.seed or 0)._asdict()
        | {"class": class_names[label]}
        | detectors.measure_detection(values, labels != label)
        for label, of_class in enumerate(scores)
        for column, values in of_class.items()
    )


def summarise(measured: pd.DataFrame) -> pd.DataFrame:
    """Average over classes: by method and transform the mean of each measure, its `_sd` and `_sd_of_seeds`.

    `_sd` is the standard deviation over the ten classes, each averaged over the seeds; `_sd_of_seeds` that
    over the seeds of the mean over the classes, missing where a method needs no seed. Both divide by n − 1.
    """
    keys = ["method", "transform"]
    classes = measured.groupby([*keys, "class"], sort=False)[MEASURES].mean().groupby(keys, sort=False)
    seeds = measured.groupby([*keys, "seed"], sort=False)[MEASURES].mean().groupby(keys, sort=False)
    parts = (classes.mean(), classes.std().add_suffix("_sd"), seeds.std().add_suffix("_sd_of_seeds"))
    return pd.concat(parts, axis=1)


def compare(averages: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Put our rows, in per cent, above the published ones; our rows have an empty `source`."""
    ours = (averages * 100).reset_index().assign(source="")
    ours["name"] = ours["method"] + ", " + ours["transform"]
    theirs = published.assign(name="published: " + published["method"])
    return pd.concat([ours, theirs], ignore_index=True)


def tabulate_classes(measured: pd.DataFrame) -> pd.DataFrame:
    """Tabulate AUROC, averaged over the seeds: a row per class, a column `METHOD, TRANSFORM` per score."""
    named = measured.assign(name=measured["method"] + ", " + measured["transform"])
    return named.pivot_table("auroc", "class", "name", sort=False).reset_index()
