"""The seed study: how far numbers move by chance."""

import pytest

from studies.seeds import report


def test_the_spread_of_a_metric_is_that_of_its_runs() -> None:
    runs = {1: {"train": {"loss": 1.0}}, 2: {"train": {"loss": 2.0}}, 3: {"train": {"loss": 6.0}}}
    (row,) = report.noise(runs).to_dict("records")
    assert row["metric"] == "loss"
    assert row["mean"] == 3
    assert row["sd"] == pytest.approx(7**0.5)
    assert (row["least"], row["most"]) == (1, 6)
    # Student's t with two degrees of freedom exceeds 4.3027 in 2.5 % of cases, on either side.
    assert row["noise"] == pytest.approx(4.3027 * (2 * 7) ** 0.5, rel=1e-4)
