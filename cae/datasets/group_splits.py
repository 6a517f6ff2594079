"""Assign samples to splits without leakage: the samples of one group stay in one split."""

import hashlib
import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from cae.core import words
from cae.core.errors import UserError
from cae.datasets.safety import quote


class Shares(NamedTuple):
    """The share of all groups that each split gets."""

    train: float
    validation: float
    test: float
    # Normal samples that an anomaly threshold is fitted to; 0 for none.
    threshold: float = 0


def assign_splits(
    groups: Sequence[str],
    given: Sequence[str | None],
    shares: Shares,
    seed: int,
    others: Collection[str] = (),
) -> list[str]:
    """Return the split of every sample: train, validation, threshold or test.

    Splits that the source gives are kept; missing ones are drawn from its other samples, in proportion to
    their shares. Whole groups are drawn, at least one per split, so the shares are those of groups. The place
    of a group in the draw depends on the seed and its name alone: adding samples moves few of the others.

    Args:
        groups: the group of every sample.
        given: the split that the source gives to every sample, or None.
        shares: each above 0, except that of threshold, which may be 0; together 1.
        seed: of the draw.
        others: further splits that the source gives, with none of these samples.

    Raises:
        UserError: invalid shares, too few groups, or a group that the source itself splits.
    """
    check_shares(shares)
    kept = {*given, *others} - {None, "train"}
    missing = {split: share for split, share in shares._asdict().items() if split not in kept and share}
    pool = {group for group, split in zip(groups, given) if split in (None, "train")}
    drawn = assign_groups(pool, missing, seed)
    splits = [split if split in kept and split else drawn[group] for group, split in zip(groups, given)]
    check_groups(groups, splits)
    return splits


def assign_groups(groups: set[str], shares: dict[str, float], seed: int) -> dict[str, str]:
    """Assign groups to splits: train gets what the others' rounded shares, at least one each, leave."""
    if len(groups) < len(shares):
        raise UserError(
            f"{words.pluralize(len(groups), 'group')} of images (files, patients or volumes) cannot be "
            f"split into {', '.join(shares)} without leakage: at least {len(shares)} are needed. Add some, "
            "or put images into folders train, validation and test yourself."
        )
    order = sorted(groups, key=lambda group: (hash_group(group, seed), group))
    total = sum(shares.values())
    splits = dict.fromkeys(order, "train")
    others = [split for split in shares if split != "train"]
    start = 0
    for index, split in enumerate(others):
        # Every split that follows, and train, needs a group as well.
        spare = len(order) - start - (len(others) - index)
        end = start + min(max(1, round(len(order) * shares[split] / total)), spare)
        splits |= dict.fromkeys(order[start:end], split)
        start = end
    return splits


def hash_group(group: str, seed: int) -> bytes:
    """Return a hash that decides the place of a group in the draw."""
    return hashlib.sha256(f"{seed}:{group}".encode(errors="surrogateescape")).digest()


def check_shares(shares: Shares) -> None:
    """Raise UserError unless every share is above 0, or 0 for threshold, and their sum is 1."""
    smallest = min(shares.train, shares.validation, shares.test)
    if not (smallest > 0 and shares.threshold >= 0 and math.isclose(sum(shares), 1)):
        listed = ", ".join(f"{split} {share:g}" for split, share in shares._asdict().items())
        raise UserError(
            f"The shares are {listed}: each must be above 0, only threshold may be 0, and their sum 1."
        )


def check_groups(groups: Sequence[str], splits: Sequence[str]) -> None:
    """Raise UserError if a group is in two splits."""
    first: dict[str, str] = {}
    for group, split in zip(groups, splits):
        if first.setdefault(group, split) != split:
            raise UserError(
                f"{quote(group)} has images in {first[group]} and in {split}, but a group must be in one "
                "split: otherwise training images leak into the test. Move them."
            )
