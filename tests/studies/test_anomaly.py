"""The anomaly study: nothing is fitted to test images, and scores are averaged and tabulated as described."""

import pickle
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
import yaml

from cae.core import files
from cae.core.arrays import Images, Labels
from cae.core.errors import UserError
from cae.datasets import prepared
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.metrics.detectors import CodeDetector
from cae.networks import convolutional
from stages.runner.project import Project
from stages.train import Train, train_network
from studies.anomaly import (
    columns,
    figures,
    images,
    methods,
    pretext,
    report,
    score,
    table,
    train,
    train_pretext,
)
from studies.anomaly.columns import Column
from studies.anomaly.pretext_detector import PretextDetector, describe_gradients
from tests import default
from tests.studies.running import copy_study, run, run_declared

STUDY = Path("studies/anomaly")
# With so few filters the code has 16 numbers, for which few images are enough.
TRAIN = train.Settings(
    held_out=20,
    seeds=(1,),
    convolutional=convolutional.Settings(filters=(4, 2, 1), batch_size=20),
    train=Train(epochs=1, patience=1, shards=1),
)
QUESTION = pretext.Settings(filters=(4, 2), widths=(6, 5), batch_size=20, epochs=1, patience=1, shards=1)
TRAIN_PRETEXT = train_pretext.Settings(
    held_out=20,
    seeds=(1,),
    pretext=train_pretext.Pretexts(transformations=QUESTION, positions=QUESTION),
)
SCORE = score.Settings(held_out=20, neighbours=2, seeds=(1,))


def write_split(folder: Path, name: str, images: Images, labels: Labels) -> None:
    files.write_array(folder / f"{name}_images.npy", images.astype(np.float32))
    files.write_array(folder / f"{name}_labels.npy", labels)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Prepared images of three classes, which differ in brightness; 73 or 74 of each to fit to."""
    folder = tmp_path / "data/prepared"
    files.write_json(folder / prepared.CLASS_NAMES, list(default.CLASS_NAMES))
    for name, count, seed in (("train", 150, 1), ("validation", 70, 2), ("test", 30, 3)):
        labels = (np.arange(count) % 3).astype(np.uint8)
        noise = np.random.default_rng(seed).random((count, *default.IMAGE_SHAPE), np.float32)
        write_split(folder, name, np.clip(0.2 * noise + 0.3 * labels[:, None, None, None], 0, 1), labels)
    return Project(tmp_path / STUDY)


def list_fitted(detector: object) -> bytes:
    """Return everything that was fitted, the weights of networks included."""
    if isinstance(detector, PretextDetector):
        weights = [[one.tobytes() for one in network.get_weights()] for network in detector.networks.values()]
        return pickle.dumps((weights, detector.small, detector.gradient, detector.sum))
    if isinstance(detector, CodeDetector):
        weights = [weight.tobytes() for weight in detector.autoencoder.network.get_weights()]
        return pickle.dumps((weights, detector.detectors, detector.sum))
    return pickle.dumps(detector)


def test_nothing_is_fitted_to_a_test_image(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, fitted, scores = score.fit, [], []

    def record_fit(*arguments: object) -> object:
        detectors = fit(*arguments)  # type: ignore[arg-type]  # those of the stage
        fitted.append([{column: list_fitted(one) for column, one in kind.items()} for kind in detectors])
        return detectors

    monkeypatch.setattr(score, "fit", record_fit)
    poison = np.random.default_rng(9).random((40, *default.IMAGE_SHAPE), np.float32)
    for _ in range(2):
        run(train.train, project, TRAIN, 0)
        run(train_pretext.train_pretext, project, TRAIN_PRETEXT, 0)
        scores.append(run(score.score, project, SCORE, 0)["scores/0.npy"])
        folder = project.path(images.PREPARED)
        write_split(folder, "test", poison, (np.arange(40) % 2).astype(np.uint8))
    assert [len(kind) for kind in fitted[0]] == [2, 1, 2 * (3 + 1)]
    assert fitted[0] == fitted[1]
    assert scores[0].shape != scores[1].shape

    read = columns.read(project.folder / "scores/0.npy")
    assert {column.method for column in read} == set(methods.TITLES)
    assert len(read) == 2 * (5 + 3 + 1) + 5
    assert all(np.isfinite(values).all() for values in read.values())


@pytest.mark.usefixtures("pipeline")
def test_networks_of_a_class_are_trained_and_score_every_test_image() -> None:
    question = QUESTION.model_dump(mode="json")
    recipe = TRAIN.model_dump(mode="json") | {"held_out": 2, "neighbours": 1, "labels": [0]}
    folder = copy_study("anomaly", recipe | {"pretext": dict.fromkeys(pretext.PRETEXTS, question)})
    for stage in ("train", "train_pretext", "score"):
        run_declared("anomaly", stage, "0")
    read = columns.read(folder / "scores/0.npy")
    assert {column.method for column in read} == set(methods.TITLES)
    assert {len(values) for values in read.values()} == {40}


def test_a_killed_stage_resumes_after_its_last_network(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []

    def kill_second(*arguments: object) -> object:
        trained.append(arguments[-1])
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train_network(*arguments)  # type: ignore[arg-type]  # those of the stage

    monkeypatch.setattr(train, "train_network", kill_second)
    with pytest.raises(KeyboardInterrupt):
        train.train(project, TRAIN, 0)
    assert trained == ["pixels-1", "roots-1"]
    assert len(list(project.checkpoints.glob("*pixels-1*.state"))) == 1


def test_the_images_of_a_class_are_those_of_both_splits_in_their_order(project: Project) -> None:
    folder = project.path(images.PREPARED)
    parts = [prepared.read_images(folder, name)[1::3] for name in images.FITTED_TO]
    assert np.array_equal(images.read_class(project, 1, needed=73), np.concatenate(parts))
    with pytest.raises(UserError, match=r"73 images of Pullover, but .* needs 74: raise split\.train"):
        images.read_class(project, 2, needed=74)


@pytest.mark.parametrize("empty", ["train", "test"])
def test_an_empty_split_is_refused(empty: str, project: Project) -> None:
    write_split(
        project.path(images.PREPARED),
        empty,
        np.empty((0, *default.IMAGE_SHAPE), np.float32),
        np.empty(0, np.uint8),
    )
    with pytest.raises(UserError, match=rf"raise split\.{empty}"):
        train.train(project, TRAIN, 0) if empty == "train" else score.score(project, SCORE, 0)


def test_the_committed_parameters_leave_no_smaller_batch() -> None:
    committed = yaml.safe_load((STUDY / "params.yaml").read_text())
    of_train = train.Settings.model_validate({name: committed[name] for name in train.Settings.model_fields})
    of_pretext = train_pretext.Pretexts.model_validate(committed["pretext"])
    recipes = (of_train.convolutional, of_pretext.transformations, of_pretext.positions)
    assert [(6000 - of_train.held_out) % recipe.batch_size for recipe in recipes] == [0, 0, 0]


def test_the_ensemble_is_the_sum_over_the_seeds(project: Project) -> None:
    train_two, score_two = (
        settings.model_copy(update={"seeds": (1, 2)}) for settings in (TRAIN_PRETEXT, SCORE)
    )
    run(train.train, project, TRAIN.model_copy(update={"seeds": (1, 2)}), 0)
    run(train_pretext.train_pretext, project, train_two, 0)
    run(score.score, project, score_two, 0)
    read = columns.read(project.folder / "scores/0.npy")
    of_seeds = [read[Column("self_supervised", pretext.TRANSFORM, seed)] for seed in (1, 2)]
    assert not np.array_equal(of_seeds[0], of_seeds[1])
    assert read[Column("ensemble", pretext.TRANSFORM)] == pytest.approx(of_seeds[0] + of_seeds[1])


@pytest.mark.parametrize(
    ("answers", "row", "column"), [((0, 0, 0), 2, 4), ((0, 3, 0), 0, 4), ((1, 0, 0), 9, 2), ((1, 3, 0), 9, 0)]
)
def test_an_image_is_shifted_then_turned_anticlockwise(
    answers: tuple[int, ...], row: int, column: int
) -> None:
    one = np.zeros((1, 14, 14, 1), np.float32)
    one[0, 2, 4] = 1
    changed = pretext.transform(one, [np.array([answer]) for answer in answers])
    assert np.argwhere(changed).tolist() == [[0, row, column, 0]]


@pytest.mark.parametrize(("stretch", "widths"), list(enumerate([(6, 6), (6, 4), (6, 8), (4, 6), (8, 6)])))
def test_an_image_is_stretched_about_its_middle(stretch: int, widths: tuple[int, int]) -> None:
    square = np.zeros((1, 14, 14, 1), np.float32)
    square[0, 4:10, 4:10] = 1
    changed = pretext.transform(square, [np.zeros(1, int), np.zeros(1, int), np.array([stretch])])[0, ..., 0]
    assert (np.rint(changed.max(axis=1)).sum(), np.rint(changed.max(axis=0)).sum()) == widths
    assert np.array_equal(changed, changed[::-1, ::-1])


def test_squares_are_cut_from_corner_to_corner() -> None:
    image = np.arange(28 * 28, dtype=np.float32).reshape(1, 28, 28, 1)
    for place, (top, left) in ((0, (0, 0)), (4, (0, 16)), (12, (8, 8)), (24, (16, 16))):
        square = pretext.cut(image, [np.array([place]), np.array([0])])
        assert np.array_equal(square, image[:, top : top + 12, left : left + 12])
    turned = pretext.cut(image, [np.array([24]), np.array([1])])
    assert np.array_equal(turned, np.rot90(square, axes=(1, 2)))


def test_a_network_that_learned_its_question_gives_images_of_another_kind_higher_scores() -> None:
    # A bright corner, which the others have elsewhere.
    draws = np.random.default_rng(1)
    normal = draws.random((240, 14, 14, 1), np.float32) * 0.2
    other = normal[200:, ::-1].copy()
    normal[:, :5, :3] += 0.8
    other[:, 9:, 4:] += 0.8
    question = pretext.PRETEXTS["positions"]
    recipe = QUESTION.model_copy(update={"epochs": 30, "patience": 30, "filters": (8,), "widths": (32, 32)})
    network = pretext.build(question, recipe, normal.shape[1:], 1)
    with TemporaryDirectory() as folder:
        task = pretext.task(question, network, choose_engine("fast"))
        training.fit(task, normal[:180], normal[180:200], recipe, Checkpoint(Path(folder), "run"))
    assert (
        pretext.score(question, network, normal[200:]).max() < pretext.score(question, network, other).min()
    )


def test_gradients_are_averaged_in_cells() -> None:
    image = np.zeros((1, 8, 8, 1), np.float32)
    image[0, :4, :4] = 1
    grey, down, right = describe_gradients(image).reshape(3, 2, 2)
    assert grey.tolist() == [[1, 0], [0, 0]]
    assert down.tolist() == right.tolist() == [[0.5, 0], [0, 0]]


def test_averages_are_over_seeds_before_classes() -> None:
    labels = np.array([0, 0, 1, 1], np.uint8)
    right, wrong = np.array([0.0, 0, 1, 1]), np.array([1.0, 1, 0, 0])
    names = [Column("nearest", "pixels"), *(Column("combined", "pixels", seed) for seed in (1, 2))]
    scores = [dict(zip(names, values)) for values in ((right, right, wrong), (right, wrong, wrong))]
    averages = report.summarise(report.measure(scores, labels, default.CLASS_NAMES))
    # nearest: 1 in class 0 and 0 in class 1. combined: 1 and 0 in class 0, 1 and 1 in class 1.
    found = averages[["auroc", "auroc_sd", "auroc_sd_of_seeds"]].to_numpy()
    sd = 0.125**0.5
    assert found == pytest.approx(np.array([[0.5, 0.5**0.5, np.nan], [0.75, sd, sd]]), nan_ok=True)


def test_published_rows_follow_ours_with_their_source() -> None:
    published = pd.read_csv(STUDY / "published.csv")
    assert published["source"].str.len().min() > 0
    ours = pd.DataFrame({"method": ["nearest"], "transform": ["pixels"], "auroc": [0.9]})
    compared = report.compare(ours.set_index(["method", "transform"]), published)
    assert compared["source"].tolist() == ["", *published["source"]]
    assert compared["auroc"].tolist() == pytest.approx([90, *published["auroc"]])
    assert compared["name"].tolist() == ["nearest, pixels", *("published: " + published["method"])]


def test_the_table_by_class_has_the_mean_of_the_seeds() -> None:
    measured = pd.DataFrame(
        {"method": "combined", "transform": "roots", "seed": [1, 2], "class": "Bag", "auroc": [0.8, 0.9]}
    )
    by_class = report.tabulate_classes(measured)
    assert by_class["class"].tolist() == ["Bag"]
    assert by_class["combined, roots"].tolist() == pytest.approx([0.85])


def test_columns_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = {Column("nearest", "roots"): np.array([1.0, 2.0]), Column("combined", "pixels", 3): np.ones(2)}
    assert [column.name for column in written] == ["nearest/roots", "combined/pixels/3"]
    files.write_array(tmp_path / "0.npy", columns.to_array(written))
    read = columns.read(tmp_path / "0.npy")
    assert list(read) == list(written)
    assert all(np.array_equal(read[column], written[column]) for column in written)


def test_every_method_has_a_title_and_a_row_in_figure_and_table(tmp_path: Path) -> None:
    assert set(table.describe_methods(5)) == set(methods.TITLES)
    measured = pd.DataFrame({"method": methods.TITLES.keys()}).assign(transform="roots", seed=0, auroc=0.9)
    measured = pd.concat(
        measured.assign(average_precision=0.9, **{"class": name}) for name in default.CLASS_NAMES
    )
    published = pd.read_csv(STUDY / "published.csv")
    compared = report.compare(report.summarise(measured), published)
    (axes,) = figures.plot_methods(compared).axes
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert set(rows) == {*methods.TITLES.values(), *published["method"]}
    files.write_csv(tmp_path / "plots/table.csv", compared)
    tabulated = table.tabulate_methods(tmp_path)["one class against nine"]
    assert len(tabulated) == len(rows) + 1
    assert sum(bool(re.match("published: ", name)) for name in tabulated) == len(published)
