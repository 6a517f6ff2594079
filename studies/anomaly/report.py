"""Measure the scores of all ten classes and set them beside what others have published."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from stages.inputs import Inputs

from cae.core import files
from cae.core.arrays import Labels, Scores
from cae.datasets import splits
from cae.figures import anomalies
from cae.metrics import anomaly
from stages import PREPARED
from studies.anomaly import STUDY, TITLES, columns
from studies.anomaly.columns import Column

MEASURES = ["auroc", "average_precision"]
# What the ROC curves compare, all on one view; the first also ranks the images of the other picture.
SHOWN = ("combined", "nearest", "reconstruction_error")
VIEW = "roots"


def main() -> None:
    """Read scores/, published.csv and the test split; write metrics/auroc.json and plots/."""
    inputs = Inputs.read("report", STUDY)
    images, labels = splits.images(PREPARED, "test"), np.asarray(splits.labels(PREPARED, "test"))
    class_names = splits.class_names(PREPARED)
    scores = [columns.read(STUDY / f"scores/{label}.npy") for label in range(len(class_names))]
    published = files.read_csv(STUDY / "published.csv", remake="git checkout studies")
    measured = measure(scores, labels, class_names)
    averages = summary(measured)
    by_method = averages.xs(VIEW, level="view")["auroc"]

    inputs.check()
    files.write_json(
        STUDY / "metrics/auroc.json", {str(name): float(by_method[name]) for name in by_method.index}
    )
    files.write_csv(STUDY / "plots/table.csv", beside(averages, published))
    files.write_csv(STUDY / "plots/by_class.csv", by_class(measured))
    shown = {TITLES[method]: [first(of_class, method, VIEW) for of_class in scores] for method in SHOWN}
    best = shown[TITLES[SHOWN[0]]]
    roc = anomalies.plot_roc_curves(shown, labels, class_names, "square roots of grey values, first seed")
    files.write_figure(STUDY / "plots/classes/roc.png", roc)
    extremes = anomalies.plot_ranking_ends(images, best, labels, class_names)
    files.write_figure(STUDY / "plots/classes/extremes.png", extremes)
    top = averages.reset_index().sort_values("auroc").iloc[-1]
    print(f"best: {top['method']} on {top['view']}, mean AUROC {top['auroc']:.2%} ± {top['auroc_sd']:.2%}")


def first(scores: Mapping[Column, Scores], method: str, view: str) -> Scores:
    """Return a method's scores; of several seeds those of the first."""
    return next(values for column, values in scores.items() if column[:2] == (method, view))


def measure(
    scores: Sequence[Mapping[Column, Scores]], labels: Labels, class_names: Sequence[str]
) -> pd.DataFrame:
    """Measure every column of every class: method, view, seed (0 if none is used), class and measures."""
    return pd.DataFrame(
        column._replace(seed=column.seed or 0)._asdict()
        | {"class": class_names[label]}
        | anomaly.measure_detection(values, labels != label)
        for label, of_class in enumerate(scores)
        for column, values in of_class.items()
    )


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
