"""What a code is good for: probes that learn to read classes off it from few labels or many.

Nothing here learns from a test image: a scaler and a probe are fitted to training images, and validation
images choose the regularisation.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    """What one probe answered for the test images."""

    features: str  # what the probe saw
    probe: str  # "linear" or "knn"
    labels_per_class: str  # a number or "all"
    predictions: Labels  # (N,)


class Probe(Protocol):
    """What both probes can do; rows are (N, D) float32, labels (N,)."""

    def fit(self, rows: Rows, labels: Labels, validation_rows: Rows, validation_labels: Labels) -> Self:
        """Learn from labelled training rows; validation rows may choose what the user would have to."""

    def predict(self, rows: Rows) -> Labels:
        """Answer each row with a label."""


class Settings(Section):
    """How linear probes and nearest neighbours read classes off features."""

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
    """Multinomial logistic regression with an L2 penalty: the least −C·Σ ln p(label | row) + ½‖W‖².

    Validation accuracy chooses C. Strengths are tried from the strongest penalty on, each fit starting from
    the last, until one is worse than the best so far: the weakest would cost the most time.
    """

    def __init__(self, strengths: tuple[float, ...]) -> None:
        self.strengths = strengths

    def fit(self, rows: Rows, labels: Labels, validation_rows: Rows, validation_labels: Labels) -> Self:
        """Learn from labelled rows, standardised beforehand."""
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
        """Answer each row with its most probable label."""
        return self.model.predict(rows)


class KnnProbe:
    """The vote of the nearest labelled rows; among equals the lowest label wins."""

    def __init__(self, neighbours: int) -> None:
        self.model = KNeighborsClassifier(neighbours, algorithm="brute")

    def fit(self, rows: Rows, labels: Labels, validation_rows: Rows, validation_labels: Labels) -> Self:
        """Remember the labelled rows; there is nothing for validation to choose."""
        self.model.fit(rows, labels)
        return self

    def predict(self, rows: Rows) -> Labels:
        """Answer each row with the label that most of its neighbours have."""
        return self.model.predict(rows)


def check(labels: Splits[Labels], settings: Settings, class_names: Sequence[str]) -> None:
    """Refuse labels that the probes could not work with, before any work is done.

    Raises:
        UserError: an empty split, a class with too few training images, or too few labelled images for the
            neighbours asked for.
    """
    for name, values in labels._asdict().items():
        if len(values) == 0:
            raise UserError(f"the {name} split has no images: raise split.{name} in params.yaml")
    if not settings.labels_per_class:
        return
    classes = np.unique(np.concatenate(labels))
    wanted = settings.labels_per_class[-1]
    for label in classes:
        count = int((labels.train == label).sum())
        if count == 0:
            raise UserError(
                f"the training split has no image of {class_names[label]}, which validation or test has: "
                "raise split.train in params.yaml or check the labels of the images"
            )
        if count < wanted:
            raise UserError(
                f"the training split has {words.pluralize(count, 'image')} of {class_names[label]}, but "
                f"probes.labels_per_class asks for up to {wanted}: give it numbers of at most {count}, or "
                "raise split.train, in params.yaml"
            )
    fewest = settings.labels_per_class[0] * len(classes)
    if settings.neighbours > fewest:
        raise UserError(
            f"probes.neighbours is {settings.neighbours}, but "
            f"{words.pluralize(settings.labels_per_class[0], 'label')} a class make "
            f"{words.pluralize(fewest, 'labelled image')}: lower it to {fewest} or less in params.yaml"
        )


def sample_per_class(labels: Labels, per_class: int, seed: int) -> Indices:
    """Draw `per_class` indices of each class; for one seed the smaller draws are part of the larger."""
    order = np.random.default_rng(seed).permutation(len(labels))
    drawn = [order[labels[order] == label][:per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(drawn))


def standardise(features: Splits[Rows]) -> Splits[Rows]:
    """Shift and scale every feature to mean 0 and variance 1 on the training images."""
    scaler = StandardScaler().fit(features.train)
    return Splits(*(scaler.transform(rows) for rows in features))


def run_probes(
    features: Mapping[str, Splits[Rows]],
    labels: Splits[Labels],
    settings: Settings,
    cores_left: int = 0,
) -> Iterator[ProbeResult]:
    """Run both probes on every kind of features, with few labels and with all of them; yield the results.

    Probes run side by side, each on one thread, so that no result depends on the number of cores.
    `cores_left` says how many of them, if there are as many, something else needs meanwhile.
    """
    everything = np.arange(len(labels.train))
    draws = [(ALL, everything)] + [
        (str(count), sample_per_class(labels.train, count, seed))
        for count in reversed(settings.labels_per_class)
        for seed in settings.seeds
    ]

    def run(
        name: str, kind: str, probe: Probe, rows: Splits[Rows], count: str, drawn: Indices
    ) -> ProbeResult:
        # All rows are taken as they are: a copy of every training image would cost memory.
        train = rows.train if count == ALL else rows.train[drawn]
        probe.fit(train, labels.train[drawn], rows.validation, labels.validation)
        return ProbeResult(name, kind, count, probe.predict(rows.test))

    standardised = {name: standardise(rows) for name, rows in features.items()}
    # The longest first: then no core idles long at the end.
    jobs = [
        delayed(run)(name, kind, probe, rows[name], count, drawn)
        for count, drawn in draws
        for name in features
        for kind, probe, rows in (
            ("linear", LinearProbe(settings.regularisation), standardised),
            ("knn", KnnProbe(settings.neighbours), features),
        )
    ]
    return Parallel(n_jobs=-1 - cores_left, prefer="threads", return_as="generator")(jobs)


def tabulate_accuracies(outcomes: list[ProbeResult], labels: Labels) -> pd.DataFrame:
    """Tabulate accuracy: columns probe, features, labels_per_class, mean and sd over the seeds.

    `sd` is the sample's, with n − 1, and missing where a probe ran once. Rows keep the order of the outcomes.
    """
    rows = pd.DataFrame(
        {
            "probe": outcome.probe,
            "features": outcome.features,
            "labels_per_class": outcome.labels_per_class,
            "accuracy": accuracy_score(labels, outcome.predictions),
        }
        for outcome in outcomes
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
    """Spread the accuracies for a chart: one row a number of labels, columns `PROBE FEATURES` and `… sd`.

    The first columns are labels_per_class and its decimal logarithm, for "all" that of the classes' mean.
    """
    counts = table["labels_per_class"].unique()[::-1]
    all_labels = len(train_labels) / len(np.unique(train_labels))
    numbers = [all_labels if count == ALL else int(count) for count in counts]
    spread = pd.DataFrame({"labels_per_class": counts, "log10_labels_per_class": np.log10(numbers).round(3)})
    for (probe, features), scores in table.groupby(["probe", "features"], sort=False):
        by_count = scores.set_index("labels_per_class").loc[counts]
        spread[f"{probe} {features}"] = by_count["mean"].to_numpy()
        spread[f"{probe} {features} sd"] = by_count["sd"].to_numpy()
    return spread


def tabulate_predictions(labels: Labels, predictions: Labels, class_names: Sequence[str]) -> pd.DataFrame:
    """Name what each image is and what the probe said, one row an image: `actual` and `predicted`."""
    names = np.array(class_names)
    return pd.DataFrame({"actual": names[labels], "predicted": names[predictions]})
