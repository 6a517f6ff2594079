"""Probes equal those of scikit-learn and learn nothing from a test image."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cae.core.arrays import Labels, Rows
from cae.core.errors import UserError
from cae.datasets.splits import Splits
from cae.metrics import probes
from cae.metrics.probes import ALL, KnnProbe, LinearProbe, ProbeResult
from tests.default import CLASS_NAMES

SETTINGS = probes.Settings(
    labels_per_class=(2, 5), seeds=(1, 2, 3), regularisation=(0.01, 0.1, 1.0), neighbours=5
)


def draw_classes(count: int, seed: int) -> tuple[Rows, Labels]:
    """Three classes that overlap, with features of very different scales."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count).astype(np.uint8)
    centres = np.random.default_rng(0).normal(size=(3, 6))
    rows = (centres[labels] + generator.normal(size=(count, 6))) * [1, 10, 0.1, 1, 1, 5] + 3
    return rows.astype(np.float32), labels


PARTS = [draw_classes(count, seed) for seed, count in enumerate((90, 60, 80), start=1)]
ROWS, LABELS = Splits(*(rows for rows, _ in PARTS)), Splits(*(labels for _, labels in PARTS))
STANDARDISED = probes.standardise(ROWS)


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60).map(
        lambda values: np.array(values, np.uint8)
    ),
    per_class=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_a_sample_has_so_many_of_each_class_or_all_and_is_part_of_larger_ones(
    labels: Labels, per_class: int, seed: int
) -> None:
    sample = probes.sample_per_class(labels, per_class, seed)
    assert len(set(sample)) == len(sample)
    for label in np.unique(labels):
        assert (labels[sample] == label).sum() == min(per_class, (labels == label).sum())
    assert set(sample) <= set(probes.sample_per_class(labels, per_class + 2, seed))


def test_another_seed_draws_other_images() -> None:
    sample = partial(probes.sample_per_class, np.arange(200, dtype=np.uint8) % 5, 4)
    assert not np.array_equal(sample(seed=1), sample(seed=2))


def test_features_are_standardised_by_the_training_images() -> None:
    train = np.array([[1, 7], [3, 7]], np.float32)
    others = np.array([[5, 9]], np.float32)
    standard = probes.standardise(Splits(train, others, others * 2))
    assert standard.train.tolist() == [[-1, 0], [1, 0]]
    # Mean 2 and deviation 1; a feature that is constant in training is only shifted.
    assert standard.validation.tolist() == [[3, 2]]
    assert standard.test.tolist() == [[8, 11]]


def test_the_linear_probe_is_scikit_learns_logistic_regression() -> None:
    ours = LinearProbe((0.5,)).fit(
        STANDARDISED.train, LABELS.train, STANDARDISED.validation, LABELS.validation
    )
    exact = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, tol=1e-9, max_iter=5000))
    exact.fit(ROWS.train.astype(np.float64), LABELS.train)
    assert np.array_equal(ours.predict(STANDARDISED.test), exact.predict(ROWS.test))
    assert ours.model.predict_proba(STANDARDISED.test) == pytest.approx(
        exact.predict_proba(ROWS.test), abs=0.01
    )


def test_validation_chooses_the_regularisation_with_the_best_accuracy() -> None:
    # Only the first of 30 features counts, and 40 rows are too few for a weak penalty to see that.
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(40, 30)).astype(np.float32)
    labels = (rows[:, 0] > 0).astype(np.uint8)
    validation = generator.normal(size=(400, 30)).astype(np.float32)
    truth = (validation[:, 0] > 0).astype(np.uint8)
    strengths = (1e-4, 0.05, 1000.0)
    scores = [
        LogisticRegression(C=strength, max_iter=1000).fit(rows, labels).score(validation, truth)
        for strength in strengths
    ]
    chosen = LinearProbe(strengths).fit(rows, labels, validation, truth).model.C
    assert chosen == strengths[int(np.argmax(scores))]


def test_of_equally_good_penalties_the_strongest_is_chosen() -> None:
    rows = np.array([[-3], [-2], [2], [3]], np.float32)
    labels = np.array([0, 0, 1, 1], np.uint8)
    assert LinearProbe((0.1, 1.0, 10.0)).fit(rows, labels, rows, labels).model.C == 0.1


@pytest.mark.parametrize("neighbours", [1, 4, 5])
def test_nearest_neighbours_vote_as_by_hand(neighbours: int) -> None:
    model = KnnProbe(neighbours).fit(ROWS.train, LABELS.train, ROWS.validation, LABELS.validation)
    distances = np.linalg.norm(ROWS.test[:, None].astype(np.float64) - ROWS.train[None], axis=2)
    votes = LABELS.train[np.argsort(distances, axis=1)[:, :neighbours]]
    # argmax takes the first of equals: the lowest label.
    assert model.predict(ROWS.test).tolist() == [np.bincount(vote).argmax() for vote in votes]


def test_every_accuracy_is_that_of_a_fit_of_its_own() -> None:
    results = list(probes.run_probes({"code": ROWS}, LABELS, SETTINGS))
    assert len(results) == probes.count_runs(1, SETTINGS)
    scores = probes.tabulate_accuracies(results, LABELS.test).set_index(["probe", "labels_per_class"])["mean"]
    for count in ("2", "5", ALL):
        linear, nearest = [], []
        for seed in SETTINGS.seeds:
            sample = np.arange(90)
            if count != ALL:
                sample = probes.sample_per_class(LABELS.train, int(count), seed)
            knn = KNeighborsClassifier(5).fit(ROWS.train[sample], LABELS.train[sample])
            nearest.append(knn.score(ROWS.test, LABELS.test))
            fits = [
                LogisticRegression(C=strength, max_iter=1000).fit(
                    STANDARDISED.train[sample], LABELS.train[sample]
                )
                for strength in SETTINGS.regularisation
            ]
            best = max(fits, key=lambda fit: fit.score(STANDARDISED.validation, LABELS.validation))
            linear.append(best.score(STANDARDISED.test, LABELS.test))
        assert scores["knn", count] == pytest.approx(np.mean(nearest))
        assert scores["linear", count] == pytest.approx(np.mean(linear))


def make_result(features: str, probe: str, count: str, predictions: list[int]) -> ProbeResult:
    return ProbeResult(features, probe, count, np.array(predictions, np.uint8))


TRUTH = np.array([0, 0, 1, 1], np.uint8)
TABLE = probes.tabulate_accuracies(
    [
        make_result("code", "linear", ALL, [0, 1, 1, 1]),
        make_result("code", "knn", ALL, [0, 1, 0, 1]),
        make_result("code", "linear", "10", [0, 0, 0, 0]),
        make_result("code", "linear", "10", [0, 0, 1, 1]),
        make_result("code", "linear", "10", [0, 1, 1, 0]),
        make_result("code", "knn", "10", [1, 1, 0, 0]),
    ],
    TRUTH,
)


def test_accuracies_are_means_and_sample_deviations_over_the_seeds() -> None:
    linear = TABLE[TABLE["probe"] == "linear"]
    assert linear["labels_per_class"].tolist() == [ALL, "10"]
    assert linear["mean"].tolist() == pytest.approx([0.75, (0.5 + 1 + 0.5) / 3])
    assert linear["sd"].tolist() == pytest.approx([np.nan, np.std([0.5, 1, 0.5], ddof=1)], nan_ok=True)


def test_experiments_are_compared_by_the_accuracies_with_all_labels() -> None:
    assert probes.select_metrics(TABLE, "code") == {"linear_accuracy": 0.75, "knn_accuracy": 0.5}


def test_the_chart_has_a_row_for_each_number_of_labels() -> None:
    chart = probes.tabulate_by_labels(TABLE, train_labels=np.repeat(np.arange(2, dtype=np.uint8), 1000))
    assert chart["labels_per_class"].tolist() == ["10", ALL]
    assert chart["images_per_class"].tolist() == [10, 1000]
    assert chart["linear code"].tolist() == pytest.approx([2 / 3, 0.75])
    assert chart["linear code sd"].iloc[0] == pytest.approx(0.288675)
    assert chart["knn code"].tolist() == [0, 0.5]


def test_predictions_are_tabulated_by_name() -> None:
    table = probes.tabulate_predictions(np.array([0, 9], np.uint8), np.array([6, 9], np.uint8), CLASS_NAMES)
    assert table.to_dict("list") == {
        "actual": ["T-shirt/top", "Ankle boot"],
        "predicted": ["Shirt", "Ankle boot"],
    }


def make_labels(train: str, validation: str = "0123", test: str = "0123" * 8) -> Splits[Labels]:
    return Splits(*(np.array(list(text), np.uint8) for text in (train, validation, test)))


@pytest.mark.parametrize(
    ("labels", "neighbours", "message"),
    [
        (make_labels(""), 5, "the train split has no images: raise split.train"),
        (
            make_labels("0123" * 5, validation=""),
            5,
            "the validation split has no images: raise split.validation",
        ),
        (make_labels("0123" * 5, test=""), 5, "the test split has no images: raise split.test"),
        (
            make_labels("0123" * 4 + "012"),
            5,
            "4 images of Dress, but probes.labels_per_class asks for up to 5: give it numbers of at most 4",
        ),
        (make_labels("012" * 9), 5, "no image of Dress, which validation or test has: raise split.train"),
        (
            make_labels("0123" * 5),
            9,
            "neighbours is 9, but 8 labelled images are the fewest",
        ),
    ],
)
def test_labels_that_cannot_be_probed_are_a_clear_error(
    labels: Splits[Labels], neighbours: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        probes.check(labels, SETTINGS.model_copy(update={"neighbours": neighbours}), CLASS_NAMES)


def test_labels_of_every_class_are_accepted() -> None:
    probes.check(make_labels("0123" * 5), SETTINGS, CLASS_NAMES)
    few = make_labels("01234")
    probes.check(few, SETTINGS.model_copy(update={"labels_per_class": ()}), CLASS_NAMES)


def test_all_labels_may_be_too_few_for_the_neighbours() -> None:
    settings = SETTINGS.model_copy(update={"labels_per_class": (), "neighbours": 4})
    with pytest.raises(UserError, match="neighbours is 4, but 3 labelled images are the fewest"):
        probes.check(make_labels("012"), settings, CLASS_NAMES)
