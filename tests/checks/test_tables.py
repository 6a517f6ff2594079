"""What tables say of results that are not committed."""

import pytest

from checks import tables
from tests.benchmarks.test_benchmarks import RESULTS


@pytest.mark.parametrize(
    "expected",
    [
        "| **mine** | 20.0 (10.0 – 90.0) | 1.0 |",
        "| fit | 70.0 (60.0 – 80.0) | 3.5 |",
        "| torch | – | – |",
        "| arithmetic bound | 5.0 | 0.2 |",
    ],
)
def test_the_residual_network_is_compared_with_the_bound_as_well(
    expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "benchmark", lambda: {"residual": RESULTS})
    assert expected in tables.residual().splitlines()


def test_there_is_no_table_of_a_network_that_was_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "benchmark", lambda: RESULTS)
    assert tables.residual() == ""
