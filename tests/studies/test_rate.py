"""The rate study: codes rounded to bits, and what is kept of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cae.core import params
from cae.core.arrays import Images, Rows
from cae.core.errors import UserError
from cae.datasets.splits import Splits
from studies import pipeline
from studies.rate import measure, report, settings, train
from studies.rate.measure import Method
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


def test_each_network_has_its_own_epochs_and_needs_no_better_one_to_go_on() -> None:
    study = settings.load()
    for size, epochs in zip(study.code_sizes, study.epochs, strict=True):
        changed = pipeline.changed(params.load(), train.changes(study, size))
        assert changed.model.residual.code_size == size
        assert changed.train.epochs == changed.train.patience == epochs
        assert changed.model.chosen.augmentations == study.augmentations


def test_a_method_is_measured_with_whole_codes_and_with_rounded_ones() -> None:
    labels = np.arange(40, dtype=np.uint8) % 2
    images = np.random.default_rng(0).random((40, 12, 12, 1), np.float32)
    # A linear probe can read the class off a code that has these pixels.
    images[:, :6] = labels[:, np.newaxis, np.newaxis, np.newaxis]

    def encode(images: Images) -> Rows:
        return images.reshape(len(images), -1)

    def decode(codes: Rows) -> Images:
        return codes.reshape(-1, 12, 12, 1).clip(0, 1)

    found = measure.measure(
        Method(encode, decode), Splits(*[images] * 3), Splits(*[labels] * 3), (1, 8), (1.0,)
    )
    assert (found["mse"], found["ssim"], found["linear_all"]) == (0, pytest.approx(1), 1)
    # Half a step is at most 1/510 of the range.
    assert 0 < found["mse_by_bits"]["8"] < (1 / 510) ** 2 < found["mse_by_bits"]["1"]


def test_epochs_for_more_networks_than_there_are_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(settings.PATH.read_text().replace("[8, 16, ", "[16, "))
    with pytest.raises(UserError, match="epochs has 6 numbers, but code_sizes 5"):
        settings.load(path)
