"""The sides of a split, drawn so that nothing leaks: what belongs together stays on one side."""

import hashlib
import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from cae.core import words
from cae.core.errors import UserError
from cae.datasets.safety import quoted


class Shares(NamedTuple):
    """How much of all groups each side gets."""

    train: float
    validation: float
    test: float
    # Normal pictures that set the threshold of a decision; 0 for none.
    threshold: float = 0


def drawn(
    groups: Sequence[str],
    parts: Sequence[str | None],
    shares: Shares,
    seed: int,
    own: Collection[str] = (),
) -> list[str]:
    """Say of every picture whether it is for train, validation, threshold or test.

    A side that the source has itself is kept; those that it lacks are drawn from its other pictures, in the
    proportion of their shares. Whole groups are drawn, at least one a side, so the shares are those of
    groups. A group's place in the draw depends on the seed and its name alone: more pictures move few of the
    others.

    Args:
        groups: of every picture, what must stay on one side.
        parts: of every picture, the part that the source puts it in, or None.
        shares: each above 0, but that of the threshold may be 0; together 1.
        seed: another one, another draw.
        own: further sides that the source has, with none of these pictures on them.

    Raises:
        UserError: shares that are none, too few groups for the sides, or a group that the source itself
            splits.
    """
    check_shares(shares)
    kept = {*parts, *own} - {None, "train"}
    wanted = {side: share for side, share in shares._asdict().items() if side not in kept and share}
    pool = {group for group, part in zip(groups, parts) if part in (None, "train")}
    dealt = deal(pool, wanted, seed)
    sides = [part if part in kept and part else dealt[group] for group, part in zip(groups, parts)]
    check_groups(groups, sides)
    return sides


def deal(groups: set[str], shares: dict[str, float], seed: int) -> dict[str, str]:
    """Deal groups to sides: train gets what the others' rounded shares, at least one each, leave."""
    if len(groups) < len(shares):
        raise UserError(
            f"{words.pluralize(len(groups), 'group')} of pictures (files, patients or volumes) cannot be "
            f"split into {', '.join(shares)} without a leak: at least {len(shares)} are needed. Add some, "
            "or put pictures into folders train, validation and test yourself."
        )
    order = sorted(groups, key=lambda group: (rank(group, seed), group))
    total = sum(shares.values())
    dealt = dict.fromkeys(order, "train")
    others = [side for side in shares if side != "train"]
    start = 0
    for index, side in enumerate(others):
        # Every side that is still to come, train among them, needs a group as well.
        spare = len(order) - start - (len(others) - index)
        end = start + min(max(1, round(len(order) * shares[side] / total)), spare)
        dealt |= dict.fromkeys(order[start:end], side)
        start = end
    return dealt


def rank(group: str, seed: int) -> bytes:
    """Return the place of a group in the draw."""
    return hashlib.sha256(f"{seed}:{group}".encode(errors="surrogateescape")).digest()


def check_shares(shares: Shares) -> None:
    """Raise UserError unless every share is above 0, or 0 where it may be, and all are 1."""
    least = min(shares.train, shares.validation, shares.test)
    if not (least > 0 and shares.threshold >= 0 and math.isclose(sum(shares), 1)):
        named = ", ".join(f"{side} {share:g}" for side, share in shares._asdict().items())
        raise UserError(
            f"The shares are {named}: each must be above 0, only threshold may be 0, and all together 1."
        )


def check_groups(groups: Sequence[str], sides: Sequence[str]) -> None:
    """Raise UserError where a group stands on two sides."""
    first: dict[str, str] = {}
    for group, side in zip(groups, sides):
        if first.setdefault(group, side) != side:
            raise UserError(
                f"{quoted(group)} has pictures in {first[group]} and in {side}: what belongs together must "
                "be on one side, or the test knows what was trained on. Move them."
            )
