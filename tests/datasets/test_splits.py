"""Indices of splits: disjoint, and drawn by the seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cae.datasets.splits import draw_indices

SIZES = st.tuples(st.integers(1, 50), st.integers(1, 50), st.integers(0, 50))


@given(SIZES, st.integers(0, 2**31 - 1))
def test_indices_are_disjoint_sorted_and_in_range(sizes: tuple[int, int, int], seed: int) -> None:
    validation, train, surplus = sizes
    available = validation + train + surplus
    drawn = draw_indices(available, {"validation": validation, "train": train}, seed)
    together = np.concatenate([drawn["validation"], drawn["train"]])
    assert len(drawn["validation"]) == validation
    assert len(set(together)) == validation + train
    assert together.min() >= 0
    assert together.max() < available
    assert all(np.all(np.diff(indices) > 0) for indices in drawn.values())


def test_the_same_seed_draws_the_same_and_another_seed_another() -> None:
    first, again, other = (draw_indices(100, {"train": 50}, seed)["train"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_a_later_split_never_moves_an_earlier_one() -> None:
    large, small = (draw_indices(100, {"validation": 20, "train": size}, seed=1) for size in (80, 10))
    np.testing.assert_array_equal(large["validation"], small["validation"])


def test_more_indices_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="11 indices cannot be drawn from 10"):
        draw_indices(10, {"validation": 5, "train": 6}, seed=1)
