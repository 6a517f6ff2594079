"""The rate study: codes rounded to bits, and what is kept of them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cae.engine import tasks, training
from cae.engine.checkpoints import Checkpoint
from cae.engine.losses import Tensors
from cae.ground.arrays import Images
from cae.ground.errors import UserError
from cae.ground.params import Run
from studies.rate import report, run, settings, shifts
from studies.rate.quantiser import Quantiser

TRAIN = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


@given(bits=st.integers(1, 12))
def test_a_rounded_code_has_as_many_levels_as_its_bits_allow(bits: int) -> None:
    rounded = Quantiser.fitted(TRAIN, bits).rounded(np.repeat(TRAIN, 20, axis=0) * 1.5)
    assert all(len(np.unique(column)) <= 2**bits for column in rounded.T)


def test_a_code_within_the_range_moves_by_half_a_step_at_most() -> None:
    quantiser = Quantiser.fitted(TRAIN, 4)
    assert np.all(np.abs(quantiser.rounded(TRAIN) - TRAIN) <= quantiser.step * 0.5001)
    assert quantiser.step == pytest.approx(np.ptp(TRAIN, axis=0) / 15)


def test_a_code_beyond_the_range_is_moved_to_its_end() -> None:
    rounded = Quantiser.fitted(TRAIN, 3).rounded(np.array([[1e6, -1e6, 0]], np.float32))
    assert rounded[0, 0] == pytest.approx(TRAIN[:, 0].max())
    assert rounded[0, 1] == TRAIN[:, 1].min()


def test_a_number_that_never_changes_stays_as_it_is() -> None:
    constant = np.ones((5, 2), np.float32)
    np.testing.assert_array_equal(Quantiser.fitted(constant, 4).rounded(constant), constant)


def test_only_rows_that_no_cheaper_one_beats_are_drawn() -> None:
    table = pd.DataFrame(
        {"method": ["a", "a", "a", "b"], "bits": [10, 20, 20, 30], "mse": [0.5, 0.6, 0.4, 0.9]}
    )
    assert report.lowest(table)[["method", "bits", "mse"]].values.tolist() == [
        ["a", 10, 0.5],
        ["a", 20, 0.4],
        ["b", 30, 0.9],
    ]


IMAGES = np.random.default_rng(0).random((4, 300, 5, 6, 1), np.float32)


def test_half_of_the_images_are_moved_by_a_pixel_at_most() -> None:
    moved = shifts.moved(IMAGES, np.random.default_rng(1))
    stayed = (moved == IMAGES).all(axis=(2, 3, 4))
    # Of those drawn, one in nine is moved to where it is.
    assert stayed.mean() == pytest.approx(0.5 + 0.5 / 9, abs=0.05)
    inner = IMAGES[:, :, 1:-1, 1:-1]
    places = [moved[:, :, row : row + 3, column : column + 4] for row in range(3) for column in range(3)]
    assert np.any([(place == inner).all(axis=(2, 3, 4)) for place in places], axis=0).all()


def test_black_comes_in_where_an_image_is_moved() -> None:
    white = np.ones((400, 4, 4, 1), np.float32)
    rows = shifts.moved(white, np.random.default_rng(1)).sum(axis=(1, 2, 3))
    assert set(rows.tolist()) == {16, 12, 9}


def test_only_training_moves_images() -> None:
    network = keras.Sequential([keras.Input((5, 6, 1)), keras.layers.Activation("sigmoid")])
    phase = shifts.Phase()
    task = shifts.shifted(tasks.reconstruction(network), phase)

    def seen() -> list[Images]:
        return [np.asarray(part) for part in task.examples(IMAGES[0], np.random.default_rng(1))]

    phase.on_train_batch_begin(0)
    inputs, targets = seen()
    assert not np.array_equal(inputs, IMAGES[0])
    np.testing.assert_array_equal(inputs, targets)
    phase.on_train_batch_end(0)
    np.testing.assert_array_equal(seen()[0], IMAGES[0])


def test_training_is_shown_moved_images_and_validation_its_own(tmp_path: Path) -> None:
    phase = shifts.Phase()
    layers = [keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")]
    task, shown = tasks.reconstruction(keras.Sequential(layers)), []

    def examples(images: Images, draws: np.random.Generator) -> tuple[Tensors, Tensors]:
        shown.append(images)
        return task.examples(images, draws)

    watched = shifts.shifted(task._replace(examples=examples), phase)
    pace: dict[str, Any] = {"batch_size": 20, "learning_rate": 0.01}
    recipe = Run(epochs=1, patience=1, shards=2, seed=1, engine="stock", **pace)
    white = np.ones((20, 4, 4, 1), np.float32)
    training.fit(watched, white, white, recipe, Checkpoint(tmp_path, "a run"), [phase])
    trained_on, validated_on = shown
    assert (trained_on == 0).any()
    assert (validated_on == 1).all()


def test_each_network_has_its_own_epochs_and_needs_no_better_one_to_go_on() -> None:
    study = settings.load()
    for size, epochs in zip(study.code_sizes, study.epochs, strict=True):
        changes = run.changes(study, size)
        assert changes["model.residual.code_size"] == size
        assert changes["train.epochs"] == changes["train.patience"] == epochs


def test_epochs_for_more_networks_than_there_are_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(settings.PATH.read_text().replace("[8, 16, ", "[16, "))
    with pytest.raises(UserError, match="epochs has 6 numbers, but code_sizes 5"):
        settings.load(path)
