"""Probes score what scikit-learn scores, and learn nothing from a test image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cae.core import params
from cae.core.arrays import Labels, Rows
from cae.core.errors import UserError
from cae.datasets.splits import Splits
from cae.metrics import probes
from cae.metrics.probes import ALL, KnnProbe, LinearProbe, ProbeResult
from tests.default import CLASS_NAMES

SETTINGS = params.Probes(
    labels_per_class=(2, 5), seeds=(1, 2, 3), regularisation=(0.01, 0.1, 1.0), neighbours=5
)


def blobs(count: int, seed: int) -> tuple[Rows, Labels]:
    """Three classes that overlap, with features of very different scales."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count).astype(np.uint8)
    centres = np.random.default_rng(0).normal(size=(3, 6))
    rows = (centres[labels] + generator.normal(size=(count, 6))) * [1, 10, 0.1, 1, 1, 5] + 3
    return rows.astype(np.float32), labels


@pytest.fixture
def data() -> tuple[Splits[Rows], Splits[Labels]]:
    parts = [blobs(count, seed) for seed, count in enumerate((90, 60, 80), start=1)]
    return Splits(*(rows for rows, _ in parts)), Splits(*(labels for _, labels in parts))


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60).map(
        lambda values: np.array(values, np.uint8)
    ),
    per_class=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_a_draw_has_so_many_of_each_class_or_all_there_are(labels: Labels, per_class: int, seed: int) -> None:
    chosen = probes.sample_per_class(labels, per_class, seed)
    assert len(set(chosen)) == len(chosen)
    for label in np.unique(labels):
        assert (labels[chosen] == label).sum() == min(per_class, (labels == label).sum())


@given(seed=st.integers(0, 99), fewer=st.integers(1, 5), more=st.integers(0, 5))
def test_a_smaller_draw_is_part_of_a_larger(seed: int, fewer: int, more: int) -> None:
    labels = np.arange(60, dtype=np.uint8) % 5
    assert set(probes.sample_per_class(labels, fewer, seed)) <= set(
        probes.sample_per_class(labels, fewer + more, seed)
    )


def test_another_seed_draws_other_images() -> None:
    labels = np.arange(200, dtype=np.uint8) % 5
    assert not np.array_equal(
        probes.sample_per_class(labels, 4, seed=1), probes.sample_per_class(labels, 4, seed=2)
    )


def test_features_are_standardised_with_the_statistics_of_training_alone() -> None:
    train = np.array([[1, 7], [3, 7]], np.float32)
    others = np.array([[5, 9]], np.float32)
    standard = probes.standardise(Splits(train, others, others * 2))
    assert standard.train.tolist() == [[-1, 0], [1, 0]]
    # Mean 2 and deviation 1; a feature that never varies in training is only shifted.
    assert standard.validation.tolist() == [[3, 2]]
    assert standard.test.tolist() == [[8, 11]]


def test_the_linear_probe_is_scikit_learns_logistic_regression(
    data: tuple[Splits[Rows], Splits[Labels]],
) -> None:
    rows, labels = data
    standard = probes.standardise(rows)
    ours = LinearProbe((0.5,)).fit(standard.train, labels.train, standard.validation, labels.validation)
    exact = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, tol=1e-9, max_iter=5000))
    exact.fit(rows.train.astype(np.float64), labels.train)
    assert np.array_equal(ours.predict(standard.test), exact.predict(rows.test))
    assert ours.model.predict_proba(standard.test) == pytest.approx(exact.predict_proba(rows.test), abs=0.01)


def test_validation_chooses_the_strength_with_the_best_accuracy() -> None:
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


def test_of_equally_good_strengths_the_strongest_penalty_is_chosen() -> None:
    rows = np.array([[-3], [-2], [2], [3]], np.float32)
    labels = np.array([0, 0, 1, 1], np.uint8)
    assert LinearProbe((0.1, 1.0, 10.0)).fit(rows, labels, rows, labels).model.C == 0.1


@pytest.mark.parametrize("neighbours", [1, 4, 5])
def test_nearest_neighbours_vote_as_by_hand(
    neighbours: int, data: tuple[Splits[Rows], Splits[Labels]]
) -> None:
    rows, labels = data
    model = KnnProbe(neighbours).fit(rows.train, labels.train, rows.validation, labels.validation)
    distances = np.linalg.norm(rows.test[:, None].astype(np.float64) - rows.train[None], axis=2)
    votes = labels.train[np.argsort(distances, axis=1)[:, :neighbours]]
    # argmax takes the first of equals: the lowest label.
    by_hand = [np.bincount(vote).argmax() for vote in votes]
    assert model.predict(rows.test).tolist() == by_hand


def test_every_accuracy_is_that_of_a_fit_of_its_own(data: tuple[Splits[Rows], Splits[Labels]]) -> None:
    rows, labels = data
    table = probes.tabulate_accuracies(probes.run_probes({"code": rows}, labels, SETTINGS), labels.test)
    scores = table.set_index(["probe", "labels_per_class"])["mean"]
    standard = probes.standardise(rows)
    for count in ("2", "5", ALL):
        draws = [
            probes.sample_per_class(labels.train, int(count), seed) if count != ALL else np.arange(90)
            for seed in SETTINGS.seeds
        ]
        nearest = [
            KNeighborsClassifier(5).fit(rows.train[drawn], labels.train[drawn]).score(rows.test, labels.test)
            for drawn in draws
        ]
        linear = []
        for drawn in draws:
            fits = [
                LogisticRegression(C=strength, max_iter=1000).fit(standard.train[drawn], labels.train[drawn])
                for strength in SETTINGS.regularisation
            ]
            best = max(fits, key=lambda fit: fit.score(standard.validation, labels.validation))
            linear.append(best.score(standard.test, labels.test))
        assert scores["knn", count] == pytest.approx(np.mean(nearest))
        assert scores["linear", count] == pytest.approx(np.mean(linear))


def outcome(features: str, kind: str, count: str, predictions: list[int]) -> ProbeResult:
    return ProbeResult(features, kind, count, np.array(predictions, np.uint8))


OUTCOMES = [
    outcome("code", "linear", ALL, [0, 1, 1, 1]),
    outcome("code", "linear", "10", [0, 0, 0, 0]),
    outcome("code", "linear", "10", [0, 0, 1, 1]),
    outcome("code", "linear", "10", [0, 1, 1, 0]),
]
TRUTH = np.array([0, 0, 1, 1], np.uint8)


def test_accuracies_are_means_and_sample_deviations_over_the_seeds() -> None:
    table = probes.tabulate_accuracies(OUTCOMES, TRUTH)
    assert table[["probe", "features", "labels_per_class"]].to_numpy().tolist() == [
        ["linear", "code", ALL],
        ["linear", "code", "10"],
    ]
    assert table["mean"].tolist() == pytest.approx([0.75, (0.5 + 1 + 0.5) / 3])
    assert table["sd"].iloc[1] == pytest.approx(np.std([0.5, 1, 0.5], ddof=1))
    assert np.isnan(table["sd"].iloc[0])


def test_experiments_are_compared_by_the_fewest_labels_and_by_all() -> None:
    outcomes = [
        outcome(features, probe, count, answers)
        for features, wrong in (("code", 0), ("pixels", 1))
        for probe, count, answers in (
            ("linear", ALL, [0, wrong, 1, 1]),
            ("linear", "100", [1, 1, 0, 0]),
            ("linear", "10", [0, 1, 1, 1]),
            ("knn", ALL, [0, 1, 0, 1]),
            ("knn", "10", [1, 1, 0, 1]),
        )
    ]
    assert probes.select_metrics(probes.tabulate_accuracies(outcomes, TRUTH), "code", fewest=10) == {
        "linear_10": 0.75,
        "linear_all": 1.0,
        "knn_10": 0.25,
        "knn_all": 0.5,
    }


def test_the_chart_has_a_row_a_number_of_labels_and_two_columns_a_line() -> None:
    table = probes.tabulate_accuracies(OUTCOMES, TRUTH)
    chart = probes.tabulate_by_labels(table, train_labels=np.repeat(np.arange(2, dtype=np.uint8), 1000))
    assert chart["labels_per_class"].tolist() == ["10", ALL]
    assert chart["log10_labels_per_class"].tolist() == [1, 3]
    assert chart["linear code"].tolist() == pytest.approx([2 / 3, 0.75])
    assert chart["linear code sd"].iloc[0] == pytest.approx(0.288675)


def test_the_confusion_names_each_image_and_its_answer() -> None:
    table = probes.tabulate_predictions(np.array([0, 9], np.uint8), np.array([6, 9], np.uint8), CLASS_NAMES)
    assert table.to_dict("list") == {
        "actual": ["T-shirt/top", "Ankle boot"],
        "predicted": ["Shirt", "Ankle boot"],
    }


def labels_of(train: str, validation: str = "0123", test: str = "0123" * 8) -> Splits[Labels]:
    return Splits(*(np.array(list(text), np.uint8) for text in (train, validation, test)))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (labels_of(""), "the train split has no images: raise prepare.train"),
        (
            labels_of("0123" * 5, validation=""),
            "the validation split has no images: raise prepare.validation",
        ),
        (labels_of("0123" * 5, test=""), "the test split has no images: raise prepare.test"),
        (labels_of("2" * 50), "every training image is labelled Pullover, but a probe needs at least two"),
        (
            labels_of("0123" * 4 + "012"),
            "4 images of Dress, but probes.labels_per_class asks for up to 5: give it numbers of at most 4",
        ),
        (labels_of("012" * 9), "no image of Dress, which validation or test has: raise prepare.train"),
    ],
)
def test_labels_that_cannot_be_probed_are_a_clear_error(labels: Splits[Labels], message: str) -> None:
    with pytest.raises(UserError, match=message):
        probes.check(labels, SETTINGS, CLASS_NAMES)


def test_more_neighbours_than_labelled_images_are_a_clear_error() -> None:
    settings = SETTINGS.model_copy(update={"neighbours": 9})
    with pytest.raises(UserError, match="neighbours is 9, but 2 labels a class make 8 labelled images"):
        probes.check(labels_of("0123" * 5), settings, CLASS_NAMES)


def test_enough_labels_pass() -> None:
    probes.check(labels_of("0123" * 5), SETTINGS, CLASS_NAMES)
