"""A threshold keeps its false alarm rate for any number of normal images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cae.core.errors import UserError
from cae.metrics.thresholds import Threshold


@given(st.integers(1, 400), st.floats(0.005, 0.9))
def test_the_expected_rate_is_the_highest_that_is_allowed(count: int, asked: float) -> None:
    normal = np.random.default_rng(count).random(count)
    if count + 1 < 1 / asked - 1e-6:
        with pytest.raises(UserError, match="cannot set a threshold"):
            Threshold.fit(normal, asked)
        return
    threshold = Threshold.fit(normal, asked)
    assert threshold.false_alarms <= asked + 1e-9
    assert threshold.low < threshold.false_alarms < threshold.high
    # A lower threshold would promise too much: one more alarm among the normal images themselves.
    assert threshold.false_alarms + 1 / (count + 1) > asked


def test_further_normal_images_are_alarms_at_that_rate_on_average() -> None:
    draws = np.random.default_rng(0)
    thresholds = [Threshold.fit(draws.normal(size=99), 0.05) for _ in range(400)]
    alarms = [(draws.normal(size=500) > threshold.value).mean() for threshold in thresholds]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.005)
    inside = [threshold.low <= rate <= threshold.high for threshold, rate in zip(thresholds, alarms)]
    # The interval is that of the true rate; counting over 500 pictures widens it a little.
    assert np.mean(inside) > 0.9


@pytest.mark.parametrize(("asked", "least"), [(0.01, 99), (0.1, 9), (0.5, 1)])
def test_too_few_normal_images_are_named_with_how_many_are_needed(asked: float, least: int) -> None:
    Threshold.fit(np.zeros(least), asked)
    with pytest.raises(UserError, match=f"at least {least} are needed"):
        Threshold.fit(np.zeros(least - 1), asked)


@pytest.mark.parametrize("asked", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_rate_out_of_range_is_named(asked: float) -> None:
    with pytest.raises(UserError, match="must be between 0 and 1"):
        Threshold.fit(np.zeros(1000), asked)
