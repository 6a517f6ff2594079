"""Probes: simple classifiers on codes or other features, trained with few labels or with all of them.

Scalers and probes are fitted to training images, and validation images choose the regularisation.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Annotated, NamedTuple, Protocol, Self

import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from cae.core import words
from cae.core.arrays import Indices, Labels, Rows
from cae.core.config import Increasing, Section, Seed, check_increasing
from cae.core.errors import UserError
from cae.datasets.splits import Splits

# The largest gradient at which a fit ends. A third of it takes twice as long and moves no accuracy by 0.002;
# three times as much costs the autoencoder 0.006.
TOLERANCE = 3e-4
ITERATIONS = 1000
ALL = "all"
PROBES = ("linear", "knn")


class ProbeResult(NamedTuple):
    """The predictions of one probe for the test images."""

    features: str
    probe: str  # "linear" or "knn"
    labels_per_class: str  # a number or "all"
    predictions: Labels  # (N,)


class Probe(Protocol):
    """A classifier of rows (N, D) float32 with labels (N,)."""

    def fit(self, rows: Rows, labels: Labels, validation_rows: Rows, validation_labels: Labels) -> Self:
        """Fit to training rows; validation rows may choose the regularisation."""

    def predict(self, rows: Rows) -> Labels:
        """Return the label of each row, (N,)."""


class Settings(Section):
    """How probes are trained."""

    # Labelled training images per class; a run with all labels comes on top.
    labels_per_class: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False), AfterValidator(check_increasing)
    ] = (10, 100, 1000)
    # Each draws those images anew.
    seeds: Increasing[Seed] = (1, 2, 3)
    # Inverse strength C of the linear probe's penalty; validation images choose among them.
    regularisation: Increasing[Annotated[float, Field(gt=0, le=1e6)]] = (0.01, 0.1, 1.0, 10.0)
    # The k of k-NN.
    neighbours: Annotated[int, Field(ge=1, le=100)] = 5


class LinearProbe:
    """Multinomial logistic regression that minimises −C·Σ ln p(label | row) + ½‖W‖².

    Validation accuracy chooses C among `strengths`. They are tried in their order, the strongest penalty
    first, each fit starting from the last, until one is worse than the best so far: weak penalties are slow.
    """

    def __init__(self, strengths: tuple[float, ...]) -> None:
        self.strengths = strengths

    def fit(self, rows: Rows, labels: Labels, validation_rows: Rows, validation_labels: Labels) -> Self:
        """Fit to standardised rows."""
        model = LogisticRegression(tol=TOLERANCE, max_iter=ITERATIONS, warm_start=True)
        best = -1.0
        for strength in self.strengths:
            model.set_params(C=strength).fit(rows, labels)
            accuracy = float(model.score(validation_rows, validation_labels))
            if accuracy < best:
                break
            if accuracy > best:
                best, self.model = accuracy, copy(model)
        return self

    def predict(self, rows: Rows) -> Labels:
        """Return the most probable label of each row."""
        return self.model.predict(rows)


class KnnProbe:
    """k-nearest neighbours; in a tie the lowest label wins."""

    def __init__(self, neighbours: int) -> None:
        self.model = KNeighborsClassifier(neighbours, algorithm="brute")

    def fit(self, rows: Rows, labels: Labels, validation_rows: Rows, validation_labels: Labels) -> Self:
        """Keep the training rows; validation rows are not used."""
        self.model.fit(rows, labels)
        return self

    def predict(self, rows: Rows) -> Labels:
        """Return the most frequent label among the neighbours of each row."""
        return self.model.predict(rows)


def check(labels: Splits[Labels], settings: Settings, class_names: Sequence[str]) -> None:
    """Check that probes can be trained with these labels.

    Raises:
        UserError: an empty split, a class with too few training images, or too few labelled images for the
            neighbours asked for.
    """
    for name, values in labels._asdict().items():
        if len(values) == 0:
            raise UserError(f"the {name} split has no images: raise split.{name} in params.yaml")
    per_class = settings.labels_per_class
    for label in np.unique(np.concatenate(labels)) if per_class else ():
        count = int((labels.train == label).sum())
        if count == 0:
            raise UserError(
                f"the training split has no image of {class_names[label]}, which validation or test has: "
                "raise split.train in params.yaml or check the labels of the images"
            )
        if count < per_class[-1]:
            raise UserError(
                f"the training split has {words.pluralize(count, 'image')} of {class_names[label]}, but "
                f"probes.labels_per_class asks for up to {per_class[-1]}: give it numbers of at most "
                f"{count}, or raise split.train, in params.yaml"
            )
    fewest = per_class[0] * len(np.unique(labels.train)) if per_class else len(labels.train)
    if settings.neighbours > fewest:
        raise UserError(
            f"probes.neighbours is {settings.neighbours}, but "
            f"{words.pluralize(fewest, 'labelled image')} are the fewest that k-NN learns from: lower it to "
            f"{fewest} or less in params.yaml"
        )


def sample_per_class(labels: Labels, per_class: int, seed: int) -> Indices:
    """Draw `per_class` indices of each class; with one seed a smaller sample is part of a larger one."""
    order = np.random.default_rng(seed).permutation(len(labels))
    sample = [order[labels[order] == label][:per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(sample))


def standardise(features: Splits[Rows]) -> Splits[Rows]:
    """Scale every feature to mean 0 and variance 1 on the training images."""
    scaler = StandardScaler().fit(features.train)
    return Splits(*(scaler.transform(rows) for rows in features))


def run_probes(
    features: Mapping[str, Splits[Rows]],
    labels: Splits[Labels],
    settings: Settings,
    cores_left: int = 0,
) -> Iterator[ProbeResult]:
    """Train and test both probes on every kind of features, with few labels and with all of them.

    Probes run side by side, each on one thread, so that no result depends on the number of cores;
    `cores_left` of the cores are left to others.
    """
    samples = [(ALL, np.arange(len(labels.train)))] + [
        (str(count), sample_per_class(labels.train, count, seed))
        for count in reversed(settings.labels_per_class)
        for seed in settings.seeds
    ]

    def run(
        name: str, kind: str, probe: Probe, rows: Splits[Rows], count: str, indices: Indices
    ) -> ProbeResult:
        # Without indexing all rows need no copy.
        train = rows.train if count == ALL else rows.train[indices]
        probe.fit(train, labels.train[indices], rows.validation, labels.validation)
        return ProbeResult(name, kind, count, probe.predict(rows.test))

    standardised = {name: standardise(rows) for name, rows in features.items()}
    # The slowest first, so that no core waits long at the end.
    jobs = [
        delayed(run)(name, kind, probe, rows[name], count, indices)
        for count, indices in samples
        for name in features
        for kind, probe, rows in (
            ("linear", LinearProbe(settings.regularisation), standardised),
            ("knn", KnnProbe(settings.neighbours), features),
        )
    ]
    return Parallel(n_jobs=-1 - cores_left, prefer="threads", return_as="generator")(jobs)


def tabulate_accuracies(results: Iterable[ProbeResult], labels: Labels) -> pd.DataFrame:
    """Tabulate accuracy: columns probe, features, labels_per_class, mean and sd over the seeds.

    `sd` divides by n − 1 and is missing for a single run. Rows keep the order of the results.
    """
    rows = pd.DataFrame(
        {
            "probe": result.probe,
            "features": result.features,
            "labels_per_class": result.labels_per_class,
            "accuracy": accuracy_score(labels, result.predictions),
        }
        for result in results
    )
    groups = rows.groupby(["probe", "features", "labels_per_class"], sort=False)["accuracy"]
    return groups.agg(mean="mean", sd="std").reset_index()


def count_runs(features: int, settings: Settings) -> int:
    """Return how many probes `run_probes` runs for so many kinds of features."""
    return len(PROBES) * features * (1 + len(settings.labels_per_class) * len(settings.seeds))


def select_metrics(table: pd.DataFrame, features: str) -> dict[str, float]:
    """Return what experiments are compared by: `linear_accuracy` and `knn_accuracy` with all labels."""
    means = table.set_index(["probe", "features", "labels_per_class"])["mean"]
    return {f"{probe}_accuracy": float(means[probe, features, ALL]) for probe in PROBES}


def tabulate_by_labels(table: pd.DataFrame, train_labels: Labels) -> pd.DataFrame:
    """Tabulate accuracies for a chart: a row for each number of labels per class, fewest first.

    Columns: labels_per_class, a number or "all"; images_per_class, the same as a number, for "all" the mean
    over the classes; and the mean and the sd of each probe and kind of features, `PROBE FEATURES` and
    `PROBE FEATURES sd`.
    """
    counts = table["labels_per_class"].unique()[::-1]
    mean = round(len(train_labels) / len(np.unique(train_labels)))
    numbers = [mean if count == ALL else int(count) for count in counts]
    wide = pd.DataFrame({"labels_per_class": counts, "images_per_class": numbers})
    for (probe, features), scores in table.groupby(["probe", "features"], sort=False):
        by_count = scores.set_index("labels_per_class").loc[counts]
        wide[f"{probe} {features}"] = by_count["mean"].to_numpy()
        wide[f"{probe} {features} sd"] = by_count["sd"].to_numpy()
    return wide


def tabulate_predictions(labels: Labels, predictions: Labels, class_names: Sequence[str]) -> pd.DataFrame:
    """Tabulate the class and the prediction of every image: columns actual, predicted."""
    names = np.array(class_names)
    return pd.DataFrame({"actual": names[labels], "predicted": names[predictions]})
