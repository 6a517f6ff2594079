"""A split that does not leak: groups stay whole, the source's own parts stay, and nothing else decides."""

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


@settings(deadline=None)
@given(GROUPS, ANY_SHARES, st.integers(0, 5))
def test_no_group_stands_on_two_sides_and_no_side_is_empty(
    groups: list[str], shares: Shares, seed: int
) -> None:
    sides = assign_splits(groups, [None] * len(groups), shares, seed)
    assert len(set(zip(groups, sides))) == len(set(groups))
    assert set(sides) == {"train", "validation", "test"}


@settings(deadline=None)
@given(GROUPS, st.randoms())
def test_the_order_of_the_pictures_changes_nothing(groups: list[str], random: Random) -> None:
    order = list(range(len(groups)))
    random.shuffle(order)
    before = dict(zip(groups, assign_splits(groups, [None] * len(groups), SHARES, 1)))
    after = assign_splits([groups[place] for place in order], [None] * len(groups), SHARES, 1)
    assert [before[groups[place]] for place in order] == after


def split(count: int, shares: Shares = SHARES, seed: int = 1) -> Counter[str]:
    return Counter(assign_splits([str(number) for number in range(count)], [None] * count, shares, seed))


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1000, (800, 100, 100)), (10, (8, 1, 1)), (4, (2, 1, 1)), (3, (1, 1, 1))],
)
def test_sides_have_their_shares_and_at_least_one(count: int, expected: tuple[int, int, int]) -> None:
    assert split(count) == dict(zip(("train", "validation", "test"), expected))


def test_train_keeps_one_however_small_its_share() -> None:
    assert split(3, Shares(0.01, 0.495, 0.495)) == {"train": 1, "validation": 1, "test": 1}
    assert split(10, Shares(0.01, 0.01, 0.98)) == {"train": 1, "validation": 1, "test": 8}


def test_another_seed_is_another_draw() -> None:
    groups = [str(number) for number in range(50)]
    draws = [assign_splits(groups, [None] * 50, SHARES, seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_one_more_picture_moves_few_others() -> None:
    groups = [str(number) for number in range(101)]
    before, after = (assign_splits(groups[:count], [None] * count, SHARES, 1) for count in (100, 101))
    assert sum(one != other for one, other in zip(before, after)) <= 2


def test_the_parts_of_a_source_are_kept() -> None:
    parts = ["train", "validation", "test", "train", "test"]
    assert assign_splits([*"abcde"], parts, SHARES, 1) == parts


def test_a_side_that_the_source_lacks_is_drawn_from_its_training_pictures() -> None:
    groups = [str(number) for number in range(100)]
    sides = assign_splits(groups, ["train"] * 90 + ["test"] * 10, SHARES, 1)
    assert sides[90:] == ["test"] * 10
    assert Counter(sides[:90]) == {"train": 80, "validation": 10}


def test_a_source_without_a_test_part_gets_one() -> None:
    sides = assign_splits(
        [str(number) for number in range(99)], ["train"] * 90 + ["validation"] * 9, SHARES, 1
    )
    assert Counter(sides) == {"train": 80, "test": 10, "validation": 9}


def test_a_group_that_the_source_itself_splits_is_named() -> None:
    with pytest.raises(UserError, match=r"'c' has pictures in (train|validation) and in test"):
        assign_splits(["a", "b", "c", "c"], ["train", "train", "train", "test"], SHARES, 1)


@pytest.mark.parametrize(
    ("groups", "parts", "message"),
    [
        (["a"], [None], "1 group of pictures .* at least 3 are needed"),
        (["one patient"] * 500, [None] * 500, "1 group of pictures"),
        (["a", "b"], [None, None], "2 groups of pictures .* train, validation, test"),
        (
            ["a", "b"],
            ["train", "test"],
            "1 group of pictures .* train, validation without a leak: at least 2",
        ),
        (["a", "b"], ["test", "validation"], "0 groups of pictures"),
        ([], [], "0 groups of pictures"),
    ],
)
def test_too_few_groups_are_named(groups: list[str], parts: list[str | None], message: str) -> None:
    with pytest.raises(UserError, match=message):
        assign_splits(groups, parts, SHARES, 1)


@pytest.mark.parametrize(
    "shares", [(0.8, 0.2, 0), (0.5, 0.1, 0.1), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)]
)
def test_shares_that_are_none_are_named(shares: tuple[float, float, float]) -> None:
    with pytest.raises(UserError, match="each must be above 0, only threshold may be 0, and all together 1"):
        assign_splits([*"abc"], [None] * 3, Shares(*shares), 1)


def test_names_that_are_no_utf_8_can_be_drawn() -> None:
    assert len(assign_splits(["\udcff", "b", "c"], [None] * 3, SHARES, 1)) == 3
