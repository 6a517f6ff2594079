"""What tables say of results that are not committed."""

import pytest

from checks import tables
from tests.benchmarks.test_benchmarks import PRODUCTS, RESULTS, ROUNDS


@pytest.mark.parametrize(
    "expected",
    [
        "| **mine** | 20.0 (10.0 – 90.0) | 1.00 |",
        "| fit | 70.0 (60.0 – 80.0) | 3.50 |",
        "| torch | – | – |",
        "| matrix products alone, by NumPy | 20.0 (10.0 – 30.0) | 1.00 |",
        "| arithmetic bound | 5.0 | 0.25 |",
    ],
)
def test_the_residual_network_is_compared_with_its_products_and_the_bound_as_well(
    expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = RESULTS | {"rounds": [*ROUNDS, PRODUCTS]}
    monkeypatch.setattr(tables, "benchmark", lambda folder: {"residual": results})
    assert expected in tables.residual().splitlines()
