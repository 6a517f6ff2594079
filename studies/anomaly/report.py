"""Measure the scores of all ten classes and set them beside what others have published."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cae.classes import CLASS_NAMES

from cae.ground import artifacts, splits
from cae.ground.arrays import Labels, Scores
from cae.measures import anomaly
from cae.pictures import anomalies
from stages import command
from studies import PREPARED
from studies.anomaly import STUDY, TITLES

MEASURES = ["auroc", "average_precision"]
# What the ROC curves compare, all on one view; the first also ranks the images of the other picture.
SHOWN = ("combined", "nearest", "reconstruction_error")
VIEW = "roots"


def main() -> None:
    """Read scores/, published.csv and the test split; write metrics/auroc.json and plots/."""
    images, labels = splits.images(PREPARED, "test"), np.asarray(splits.labels(PREPARED, "test"))
    scores = [read(STUDY / f"scores/{label}.npy") for label in range(len(CLASS_NAMES))]
    measured = measure(scores, labels)
    averages = summary(measured)
    nested: dict[str, dict[str, Any]] = {}
    for row in averages.reset_index().to_dict("records"):
        # What is missing, such as the deviation of a single seed, is NaN, which no JSON holds.
        found = {name: value for name, value in row.items() if pd.notna(value)}
        nested.setdefault(found.pop("method"), {})[found.pop("view")] = found
    artifacts.write_json(STUDY / "metrics/auroc.json", nested)
    artifacts.write_csv(STUDY / "plots/table.csv", beside(averages, pd.read_csv(STUDY / "published.csv")))
    artifacts.write_csv(STUDY / "plots/by_class.csv", by_class(measured))

    shown = {TITLES[method]: [first(table, method, VIEW) for table in scores] for method in SHOWN}
    best = shown[TITLES[SHOWN[0]]]
    roc = anomalies.roc(shown, labels, "square roots of grey values, first seed")
    artifacts.write_figure(STUDY / "plots/roc.png", roc)
    artifacts.write_figure(STUDY / "plots/extremes.png", anomalies.extremes(images, best, labels))
    top = averages.reset_index().sort_values("auroc").iloc[-1]
    print(f"best: {top['method']} on {top['view']}, mean AUROC {top['auroc']:.2%} ± {top['auroc_sd']:.2%}")


def read(path: Path) -> pd.DataFrame:
    """Read the scores of one class: a column METHOD/VIEW or METHOD/VIEW/SEED, a row a test image."""
    return pd.DataFrame.from_records(splits.mapped(path, remake="dvc repro studies/anomaly/dvc.yaml"))


def first(scores: pd.DataFrame, method: str, view: str) -> Scores:
    """Return a method's scores; of several seeds those of the first."""
    name = next(name for name in map(str, scores) if name.split("/")[:2] == [method, view])
    return scores[name].to_numpy()


def measure(scores: Sequence[pd.DataFrame], labels: Labels) -> pd.DataFrame:
    """Measure every column of every class: method, view, seed ("" if none is used), class and measures."""
    rows = []
    for label, table in enumerate(scores):
        for name in map(str, table):
            method, view, seed = [*name.split("/"), ""][:3]
            key = {"method": method, "view": view, "seed": seed, "class": CLASS_NAMES[label]}
            rows.append(key | anomaly.measure(table[name].to_numpy(), labels != label))
    return pd.DataFrame(rows)


def summary(measured: pd.DataFrame) -> pd.DataFrame:
    """Average over classes: one row a (method, view), for each measure its mean, `_sd` and `_sd_of_seeds`.

    `_sd` is that of the ten classes, each averaged over the seeds; `_sd_of_seeds` that of the mean over the
    classes, missing where a method needs no seed. Both divide by n − 1.
    """
    keys = ["method", "view"]
    classes = measured.groupby([*keys, "class"], sort=False)[MEASURES].mean().groupby(keys, sort=False)
    seeds = measured.groupby([*keys, "seed"], sort=False)[MEASURES].mean().groupby(keys, sort=False)
    parts = (classes.mean(), classes.std().add_suffix("_sd"), seeds.std().add_suffix("_sd_of_seeds"))
    return pd.concat(parts, axis=1)


def beside(averages: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Put our rows, in per cent, above the published ones; `source` is empty for ours, `name` for a chart."""
    ours = (averages * 100).reset_index().assign(source="")
    ours["name"] = ours["method"] + ", " + ours["view"]
    theirs = published.assign(name="published: " + published["method"])
    return pd.concat([ours, theirs], ignore_index=True)


def by_class(measured: pd.DataFrame) -> pd.DataFrame:
    """Tabulate AUROC, averaged over the seeds: one row a class, one column `METHOD, VIEW` a score."""
    named = measured.assign(name=measured["method"] + ", " + measured["view"])
    return named.pivot_table("auroc", "class", "name", sort=False).reset_index()


if __name__ == "__main__":
    command.run(main)
