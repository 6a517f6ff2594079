"""The rate study: codes rounded to bits, and what is kept of them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.rate import report
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
