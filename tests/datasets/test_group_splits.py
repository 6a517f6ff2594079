"""Splits without leakage: groups stay whole, the source's own splits stay, and nothing else decides."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cae.core.errors import UserError
from cae.datasets.group_splits import Shares, assign_splits

SHARES = Shares(0.8, 0.1, 0.1)
GROUPS = st.lists(st.sampled_from([f"patient {number}" for number in range(30)]), min_size=1).filter(
    lambda groups: len(set(groups)) >= 3
)
ANY_SHARES = st.tuples(*[st.integers(1, 20)] * 3).map(
    lambda parts: Shares(*(part / sum(parts) for part in parts))
)


def assign(groups: list[str], shares: Shares = SHARES, seed: int = 1) -> list[str]:
    return assign_splits(groups, [None] * len(groups), shares, seed)


def numbered(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@settings(deadline=None)
@given(GROUPS, ANY_SHARES, st.integers(0, 5))
def test_every_group_is_in_one_split_and_no_split_is_empty(
    groups: list[str], shares: Shares, seed: int
) -> None:
    splits = assign(groups, shares, seed)
    assert len(set(zip(groups, splits))) == len(set(groups))
    assert set(splits) == {"train", "validation", "test"}


@settings(deadline=None)
@given(GROUPS, st.randoms())
def test_the_order_of_the_samples_changes_nothing(groups: list[str], random: Random) -> None:
    shuffled = random.sample(groups, len(groups))
    assert dict(zip(groups, assign(groups))) == dict(zip(shuffled, assign(shuffled)))


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (1000, SHARES, (800, 100, 100)),
        (10, SHARES, (8, 1, 1)),
        (4, SHARES, (2, 1, 1)),
        (3, SHARES, (1, 1, 1)),
        (3, Shares(0.01, 0.495, 0.495), (1, 1, 1)),
        (10, Shares(0.01, 0.01, 0.98), (1, 1, 8)),
    ],
)
def test_splits_have_their_shares_and_at_least_one_group(
    count: int, shares: Shares, expected: tuple[int, int, int]
) -> None:
    assert Counter(assign(numbered(count), shares)) == dict(zip(("train", "validation", "test"), expected))


def test_another_seed_is_another_draw() -> None:
    assert assign(numbered(50), seed=1) != assign(numbered(50), seed=2)


def test_more_groups_move_few_of_the_others() -> None:
    before, after = assign(numbered(100)), assign(numbered(101))
    assert sum(one != other for one, other in zip(before, after)) <= 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"train": 90, "test": 10}, {"train": 80, "validation": 10, "test": 10}),
        ({"train": 90, "validation": 9}, {"train": 80, "validation": 9, "test": 10}),
        ({"train": 3, "validation": 1, "test": 2}, {"train": 3, "validation": 1, "test": 2}),
    ],
)
def test_splits_of_the_source_are_kept_and_missing_ones_drawn_from_train(
    given: dict[str, int], expected: dict[str, int]
) -> None:
    before = list(Counter(given).elements())
    after = assign_splits(numbered(len(before)), before, SHARES, 1)
    assert Counter(after) == expected
    assert all(one == other for one, other in zip(before, after) if one != "train")


def test_a_group_that_the_source_itself_splits_is_named() -> None:
    with pytest.raises(UserError, match=r"'c' has images in (train|validation) and in test"):
        assign_splits(["a", "b", "c", "c"], ["train", "train", "train", "test"], SHARES, 1)


@pytest.mark.parametrize(
    ("groups", "given", "message"),
    [
        (["a"], [None], "1 group of images .* at least 3 are needed"),
        (["one patient"] * 500, [None] * 500, "1 group of images"),
        (["a", "b"], [None, None], "2 groups of images .* train, validation, test"),
        (["a", "b"], ["train", "test"], "1 group of images .* train, validation without leakage: at least 2"),
        (["a", "b"], ["test", "validation"], "0 groups of images"),
        ([], [], "0 groups of images"),
    ],
)
def test_too_few_groups_are_named(groups: list[str], given: list[str | None], message: str) -> None:
    with pytest.raises(UserError, match=message):
        assign_splits(groups, given, SHARES, 1)


@pytest.mark.parametrize(
    "shares", [(0.8, 0.2, 0), (0.5, 0.1, 0.1), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)]
)
def test_invalid_shares_are_named(shares: tuple[float, float, float]) -> None:
    with pytest.raises(UserError, match="each must be above 0, only threshold may be 0, and their sum 1"):
        assign([*"abc"], Shares(*shares))


def test_names_need_not_be_utf_8() -> None:
    assert len(assign(["\udcff", "b", "c"])) == 3
