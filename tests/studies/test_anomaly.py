"""Scores are what they say they are, are fitted to normal images alone, and mistakes are named."""

import pickle
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cae.core import params
from cae.core.arrays import Images, Labels
from cae.core.errors import UserError
from cae.datasets import splits
from cae.engine import training
from cae.metrics import anomaly
from cae.networks.autoencoder import predict
from studies.anomaly import columns, normal, report, score, settings, table, train
from studies.anomaly.columns import Column
from tests import default

ROOT = Path(__file__).parents[2]
FILTERS = (4, 2, 1)
SQUARE = np.array([[0, 0], [0, 2], [2, 0], [2, 2]], np.float32)
SMALL = settings.Study(
    anomaly=settings.Anomaly(held_out=20, neighbours=2, seeds=(1,)),
    training=params.Recipe(epochs=1, batch_size=20, learning_rate=0.01, patience=1, shards=1, engine="fast"),
)


def noise(count: int, seed: int = 0) -> Images:
    return np.random.default_rng(seed).random((count, *default.IMAGE_SHAPE), np.float32)


def test_nearest_averages_the_distances_to_the_nearest_rows() -> None:
    # From (0, 1): two corners at 1, two at √5.
    detector = anomaly.NearestDetector(3).fit(SQUARE)
    assert detector.score(np.array([[0, 1]], np.float32)) == pytest.approx([(1 + 1 + 5**0.5) / 3])


def test_nearest_needs_as_many_rows_as_neighbours() -> None:
    with pytest.raises(ValueError, match="4 rows, but 5 neighbours"):
        anomaly.NearestDetector(5).fit(SQUARE)


def test_mahalanobis_measures_in_deviations_from_the_mean() -> None:
    rows = np.random.default_rng(0).normal([5, -5], [1, 3], (50_000, 2)).astype(np.float32)
    found = anomaly.MahalanobisDetector().fit(rows).score(np.array([[5, -5], [7, -5], [5, -11]], np.float32))
    # Ledoit and Wolf shrink little where images are many: two deviations squared are 4 either way.
    assert found == pytest.approx([0, 4, 4], abs=0.15)


def test_principal_error_is_what_lies_off_the_known_directions() -> None:
    line = np.linspace(0, 1, 5, dtype=np.float32)[:, None] * np.array([1, 0], np.float32)
    detector = anomaly.PcaDetector(1).fit(line)
    assert detector.score(np.array([[0.3, 0], [0.3, 0.4]], np.float32)) == pytest.approx(
        [0, 0.4**2 / 2], abs=1e-7
    )


@pytest.mark.parametrize(
    "detector",
    [*anomaly.build_baseline_detectors(3, components=16).values(), anomaly.build_isolation_forest(1)],
)
def test_every_baseline_scores_strangers_higher(detector: anomaly.Detector) -> None:
    generator = np.random.default_rng(0)
    normal = (0.5 + 0.02 * generator.standard_normal((200, 150))).astype(np.float32)
    strange = generator.random((20, 150), np.float32)
    detector.fit(normal[:180])
    assert detector.score(strange).min() > detector.score(normal[180:]).max()


def test_a_forest_is_grown_from_its_seed_alone() -> None:
    rows = anomaly.flatten(noise(60))
    one, same, other = (anomaly.build_isolation_forest(seed).fit(rows).score(rows) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_a_sum_adds_logarithms_standardised_on_normal_images() -> None:
    e = np.e
    fitted = anomaly.ScoreSum().fit({"a": np.array([1.0, e**2]), "b": np.array([e, e**5])})
    # ln a has the mean 1 and the deviation 1; ln b 3 and 2.
    found = fitted.score({"a": np.array([e**3]), "b": np.array([e**7]), "ignored": np.array([9.0])})
    assert found == pytest.approx([2 + 2])


def test_a_sum_takes_distances_of_0_and_scores_without_spread() -> None:
    fitted = anomaly.ScoreSum().fit({"a": np.zeros(3), "b": np.array([1.0, 2.0, 3.0])})
    assert np.isfinite(fitted.score({"a": np.array([0.0, 1.0]), "b": np.array([0.0, 1.0])})).all()


def test_small_pictures_are_averages_of_squares() -> None:
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    assert anomaly.halve(image).tolist() == [[2.5, 4.5, 10.5, 12.5]]


def test_measures_by_hand() -> None:
    # Ranks from the top: anomaly, normal, anomaly, normal. Of 4 pairs 3 are right; precision 1 and 2/3.
    found = anomaly.measure_detection(np.array([4.0, 3, 2, 1]), np.array([True, False, True, False]))
    assert found == pytest.approx({"auroc": 3 / 4, "average_precision": (1 + 2 / 3) / 2})


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_share_of_pairs_in_the_right_order(scored: list[tuple[int, bool]]) -> None:
    scores, anomalous = (np.array(values) for values in zip(*scored, strict=True))
    if anomalous.all() or not anomalous.any():
        return
    pairs = [(x > y) + (x == y) / 2 for x in scores[anomalous] for y in scores[~anomalous]]
    assert anomaly.measure_detection(scores, anomalous)["auroc"] == pytest.approx(np.mean(pairs))


def test_equal_scores_rank_as_chance_does() -> None:
    found = anomaly.measure_detection(np.ones(4), np.array([True, False, False, False]))
    assert found == {"auroc": 0.5, "average_precision": 0.25}


@pytest.mark.parametrize(
    ("labels", "message"), [([], "no images"), ([1, 1], "2 of 2 test images"), ([0, 2], "0 of 2 test images")]
)
def test_a_test_split_that_cannot_be_measured_is_named(labels: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        anomaly.check_test_labels(np.array(labels, np.uint8), 1, "Trouser")


def fitted_bytes(value: object) -> bytes:
    """Everything that was learned, weights of networks included."""
    if isinstance(value, anomaly.CodeDetector):
        weights = [weight.tobytes() for weight in value.autoencoder.network.get_weights()]
        return pickle.dumps((weights, value.detectors, value.sum))
    return pickle.dumps(value)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three classes with 100, 60 and 60 images to train on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["stage", "0"])
    study = tmp_path / "studies" / "anomaly"
    study.mkdir(parents=True)
    declared = {"stages": {name: {"deps": [], "params": ["anomaly"]} for name in ("train", "score")}}
    (study / "dvc.yaml").write_text(yaml.safe_dump(declared))
    (study / "params.yaml").symlink_to(ROOT / settings.PATH)
    committed = yaml.safe_load((ROOT / "params.yaml").read_text())
    # PCA is fitted to as many components as the code has numbers: 16 for few images.
    committed["model"]["convolutional"]["filters"] = list(FILTERS)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(committed))
    monkeypatch.setattr(settings, "load", lambda: SMALL)
    for name, count, seed in (("train", 150, 1), ("validation", 70, 2), ("test", 30, 3)):
        labels = (np.arange(count) % 3).astype(np.uint8)
        write_split(name, np.clip(noise(count, seed) * 0.2 + labels[:, None, None, None] * 0.3, 0, 1), labels)
    return tmp_path


def write_split(name: str, images: Images, labels: Labels) -> None:
    folder = Path("data/prepared")
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}_images.npy", images.astype(np.float32))
    np.save(folder / f"{name}_labels.npy", labels)
    splits.write_class_names(folder, default.CLASS_NAMES)


def test_nothing_that_is_fitted_sees_a_test_image(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    fit = score.fit

    def watched(*arguments: object) -> object:
        results.append(fit(*arguments))  # type: ignore[arg-type]  # the stage's own arguments
        return results[-1]

    monkeypatch.setattr(score, "fit", watched)
    train.main()
    score.main()
    scores = (project / "studies/anomaly/scores/0.npy").read_bytes()
    poison = noise(40, seed=9)
    write_split("test", 1 - poison, (np.arange(40) % 2).astype(np.uint8))
    train.main()
    score.main()
    (by_code, baselines), (poisoned_by_code, poisoned_baselines) = results
    assert (project / "studies/anomaly/scores/0.npy").read_bytes() != scores
    assert list(by_code) == [("", "pixels", 1), ("", "roots", 1)]
    assert len(baselines) == 2 * (3 + 1)
    assert by_code.keys() == poisoned_by_code.keys()
    assert baselines.keys() == poisoned_baselines.keys()
    for name in by_code:
        assert fitted_bytes(by_code[name]) == fitted_bytes(poisoned_by_code[name]), name
    for name in baselines:
        assert fitted_bytes(baselines[name]) == fitted_bytes(poisoned_baselines[name]), name


def test_a_second_run_writes_the_same_bytes_and_every_score(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # That training comes out the same is tested where it is done.
    monkeypatch.setattr(training, "fit", lambda *_: None)
    train.main()
    path = project / "studies/anomaly/scores/0.npy"
    score.main()
    first = path.read_bytes()
    path.unlink()
    score.main()
    assert path.read_bytes() == first
    scores = columns.read(path)
    assert len(scores) == 2 * (5 + 3 + 1)
    assert all(values.shape == (30,) and np.isfinite(values).all() for values in scores.values())
    assert {column.method for column in scores} == set(table.methods(2))


class KillError(Exception):
    """Stands for a kill."""


def test_training_goes_on_after_its_last_finished_network(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train.main()
    models = project / "studies/anomaly/models/0"
    whole = {path.name: path.read_bytes() for path in models.iterdir()}
    assert set(whole) == {"pixels-1.keras", "roots-1.keras"}
    shutil.rmtree(models)
    fit, calls = training.fit, []

    def killed(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise KillError
        return fit(*arguments)  # type: ignore[arg-type]  # the stage's own arguments

    monkeypatch.setattr(training, "fit", killed)
    with pytest.raises(KillError):
        train.main()
    assert not models.exists()
    assert len(list((project / ".checkpoints/anomaly/0").glob("*-pixels-1.state"))) == 1
    train.main()
    assert {path.name: path.read_bytes() for path in models.iterdir()} == whole
    assert not list((project / ".checkpoints/anomaly/0").glob("*.state"))


def test_an_image_scores_the_same_whatever_stands_beside_it() -> None:
    fitted = anomaly.CodeDetector(default.autoencoder(1), 2).fit(noise(60), noise(20, seed=1))
    images = noise(30, seed=5)
    whole, part = fitted.score(images), fitted.score(images[:7])
    for name in whole:
        assert part[name] == pytest.approx(whole[name][:7], rel=1e-5), name


def test_the_error_of_an_autoencoder_is_that_of_its_reconstructions() -> None:
    autoencoder, images = default.autoencoder(1), noise(5)
    fitted = anomaly.CodeDetector(autoencoder, 2).fit(noise(60), noise(20, seed=1))
    assert fitted.score(images)["reconstruction_error"] == pytest.approx(
        np.square(images - predict(autoencoder.network, images)).mean(axis=(1, 2, 3))
    )


@pytest.mark.usefixtures("project")
def test_a_class_with_too_few_images_is_named() -> None:
    write_split("train", noise(25), np.full(25, 1, np.uint8))
    # 23 more lie in the validation split.
    assert len(normal.load_images(1, 36)) == 25 + 23
    with pytest.raises(UserError, match=r"23 images of Pullover.* needs 36: raise prepare\.train"):
        normal.load_images(2, 36)


def test_the_images_of_a_class_are_those_of_both_splits_in_their_order(project: Path) -> None:
    images = [splits.images(Path("data/prepared"), name) for name in ("train", "validation")]
    assert np.array_equal(normal.load_images(1, 0), np.concatenate([part[1::3] for part in images]))


@pytest.mark.parametrize(("emptied", "stage"), [("train", train), ("test", score)])
@pytest.mark.usefixtures("project")
def test_an_empty_split_ends_the_stage_with_a_clear_error(emptied: str, stage: ModuleType) -> None:
    write_split(emptied, noise(0), np.empty(0, np.uint8))
    with pytest.raises(UserError, match=rf"raise prepare\.{emptied}"):
        stage.main()


def test_a_wrong_value_in_the_studys_params_is_named(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / settings.PATH).read_text().replace("neighbours: 5", "neighbours: 0"))
    with pytest.raises(UserError, match=r"anomaly\.neighbours is 0"):
        settings.load(path)


def test_the_committed_params_are_valid_and_leave_no_odd_batch() -> None:
    study = settings.load(ROOT / settings.PATH)
    assert (6000 - study.anomaly.held_out) % study.training.batch_size == 0


def test_the_summary_averages_seeds_before_classes() -> None:
    labels = np.array([0, 0, 1, 1], np.uint8)
    right, wrong = np.array([0.0, 0, 1, 1]), np.array([1.0, 1, 0, 0])
    names = [
        Column("nearest", "pixels"),
        *(Column("reconstruction_error", "pixels", seed) for seed in (1, 2)),
    ]
    of_class_0 = dict(zip(names, [right, right, wrong], strict=True))
    of_class_1 = dict(zip(names, [right, wrong, wrong], strict=True))
    found = report.summary(report.measure([of_class_0, of_class_1], labels, default.CLASS_NAMES))
    # Nearest: 1 and 0. Error: class 0 has 1 and 0, class 1 has 1 and 1.
    assert found.loc[("nearest", "pixels"), "auroc"] == pytest.approx(0.5)
    assert found.loc[("nearest", "pixels"), "auroc_sd"] == pytest.approx(0.5**0.5)
    assert found["auroc_sd_of_seeds"].isna().to_dict() == {
        ("nearest", "pixels"): True,
        ("reconstruction_error", "pixels"): False,
    }
    assert found.loc[("reconstruction_error", "pixels"), "auroc"] == pytest.approx(0.75)
    assert found.loc[("reconstruction_error", "pixels"), "auroc_sd"] == pytest.approx(0.125**0.5)
    assert found.loc[("reconstruction_error", "pixels"), "auroc_sd_of_seeds"] == pytest.approx(0.125**0.5)


def test_published_rows_are_marked_with_their_source() -> None:
    published = pd.read_csv(ROOT / "studies/anomaly/published.csv")
    assert published["source"].str.len().min() > 0
    ours = pd.DataFrame({"method": ["nearest"], "view": ["pixels"], "auroc": [0.9]}).set_index(
        ["method", "view"]
    )
    found = report.beside(ours, published)
    assert found["source"].tolist() == ["", *published["source"]]
    assert found["auroc"].tolist() == pytest.approx([90, *published["auroc"]])
    assert found["name"].tolist() == ["nearest, pixels", *("published: " + published["method"])]


def test_a_chart_by_class_has_the_mean_of_the_seeds() -> None:
    measured = pd.DataFrame(
        {"method": "combined", "view": "roots", "seed": [1, 2], "class": "Bag", "auroc": [0.8, 0.9]}
    )
    found = report.by_class(measured)
    assert found["class"].tolist() == ["Bag"]
    assert found["combined, roots"].tolist() == pytest.approx([0.85])


@pytest.mark.parametrize(
    ("column", "name"),
    [(Column("nearest", "roots"), "nearest/roots"), (Column("combined", "pixels", 3), "combined/pixels/3")],
)
def test_a_column_is_known_by_its_name(column: Column, name: str) -> None:
    assert column.name == name
    assert Column.named(name) == column


def test_columns_come_back_from_their_file(tmp_path: Path) -> None:
    written = {Column("nearest", "roots"): np.array([1.0, 2.0]), Column("combined", "pixels", 1): np.ones(2)}
    columns.write(tmp_path / "0.npy", written)
    read = columns.read(tmp_path / "0.npy")
    assert list(read) == list(written)
    assert all(np.array_equal(read[column], written[column]) for column in written)
