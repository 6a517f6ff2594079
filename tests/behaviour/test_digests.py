"""Two results have the same digest if and only if they agree to the last bit."""

import itertools
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from behaviour import digests

DIFFERENT: list[Any] = [
    None,
    False,
    0,
    0.0,
    -0.0,
    1.0,
    np.nextafter(1.0, 2),
    float("nan"),
    float("inf"),
    "",
    "nan",
    b"",
    b"nan",
    [],
    [0],
    [[0]],
    {},
    {"a": 0},
    {"b": 0},
    {"a": {"a": 0}},
    ["dict", ["a", 0]],
    ["float", "0x0.0p+0"],
    np.zeros(2),
    np.zeros((2, 1)),
    np.zeros((1, 2)),
    np.zeros(2, np.float32),
    np.zeros(2, np.int64),
    np.array([0, -0.0]),
    np.array(["a", None], dtype=object),
    pd.DataFrame({"a": [0]}),
    pd.DataFrame({"a": [0.0]}),
    pd.DataFrame({"b": [0]}),
    pd.DataFrame({"a": [0]}, index=[1]),
    pd.DataFrame({"a": [0], "b": [1]}),
    pd.DataFrame({"b": [1], "a": [0]}),
    pd.DataFrame({"a": pd.array([pd.NA], "Int64")}),
]


class Pair(NamedTuple):
    first: int
    second: int


def test_different_results_have_different_digests() -> None:
    for one, other in itertools.combinations(DIFFERENT, 2):
        assert digests.compute_digest(one) != digests.compute_digest(other), (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ((1, 2), Pair(1, 2)),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(3), 3),
        (np.arange(6).reshape(2, 3).T, np.arange(6).reshape(2, 3).T.copy()),
        (pd.DataFrame({"a": [0.5, None]}), pd.DataFrame({"a": [0.5, float("nan")]})),
    ],
    ids=["order of keys", "named tuple", "float32", "int64", "order in memory", "missing"],
)
def test_what_says_the_same_has_the_same_digest(one: Any, other: Any) -> None:
    assert digests.compute_digest(one) == digests.compute_digest(other)


def test_a_digest_is_the_same_in_every_process() -> None:
    assert digests.compute_digest([1.5, {"a": np.arange(3, dtype=np.int32)}, b"\0"]) == "7699a35713364342"


@pytest.mark.parametrize("result", [object(), {1, 2}, [lambda: 0]])
def test_what_has_no_digest_is_refused(result: Any) -> None:
    with pytest.raises(TypeError, match="has no digest"):
        digests.compute_digest(result)
