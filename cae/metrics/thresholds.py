"""Whether a score is too high to be normal: a threshold from normal pictures at a stated false-alarm rate.

With n scores of held-out normal pictures, the k-th largest as threshold and "above it" as alarm, the rate of
false alarms on further normal pictures is a random number with the distribution Beta(k, n + 1 − k), whatever
that of the scores, if they are independent and no two the same: its mean is k / (n + 1).
Wilks: Determination of sample sizes for setting tolerance limits (1941), https://doi.org/10.1214/aoms/1177731788.
"""

import math
from typing import NamedTuple, Self

import numpy as np
from scipy.stats import beta

from cae.core import words
from cae.core.arrays import Scores
from cae.core.errors import UserError

CONFIDENCE = 0.95


class Threshold(NamedTuple):
    """A score above which a picture is an anomaly."""

    value: float
    normals: int
    # The expected rate of false alarms, and the interval in which it lies with 95 % confidence.
    false_alarms: float
    low: float
    high: float

    @staticmethod
    def check_rate(false_alarms: float) -> None:
        """Raise UserError unless a rate lies between 0 and 1."""
        if not 0 < false_alarms < 1:
            raise UserError(
                f"the rate of false alarms is {false_alarms:g}, but must lie between 0 and 1, such as 0.01"
            )

    @staticmethod
    def count_needed(false_alarms: float) -> int:
        """Return how many normal pictures a rate of false alarms needs at least."""
        return max(1, math.ceil(1 / false_alarms - 1e-9) - 1)

    @classmethod
    def fit(cls, normal: Scores, false_alarms: float) -> Self:
        """Choose the lowest threshold whose expected rate of false alarms is at most the one asked for.

        Args:
            normal: (N,) scores of normal pictures that nothing was fitted to.
            false_alarms: in (0, 1).

        Raises:
            UserError: the rate is none, or the pictures are too few for it.
        """
        cls.check_rate(false_alarms)
        count = len(normal)
        # 0.29 · 100 is 28.999999999999996.
        rank = min(count, math.floor(false_alarms * (count + 1) + 1e-9))
        if rank < 1:
            raise UserError(
                f"{words.pluralize(count, 'normal picture')} cannot set a threshold for a rate of "
                f"{false_alarms:g}: at least {cls.count_needed(false_alarms)} are needed. Add some, or allow "
                "more false alarms"
            )
        rate = beta(rank, count + 1 - rank)
        low, high = rate.interval(CONFIDENCE)
        value = float(np.sort(normal)[-rank])
        return cls(value, count, rank / (count + 1), float(low), float(high))
