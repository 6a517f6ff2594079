"""A threshold for anomaly scores, from the scores of normal images at a given false alarm rate.

The threshold is the k-th largest of n scores of held-out normal images; images with a score above it are
alarms. The rate of false alarms on further normal images then has the distribution Beta(k, n + 1 − k) with
the mean k / (n + 1), whatever the distribution of the scores, if they are independent and all different.
Wilks: Determination of sample sizes for setting tolerance limits (1941), https://doi.org/10.1214/aoms/1177731788.
"""

import math
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from cae.core import words
from cae.core.arrays import Scores
from cae.core.errors import UserError

CONFIDENCE = 0.95


class Threshold(NamedTuple):
    """Images with a score above `value` are anomalies."""

    value: float
    # How many normal images it was fitted to.
    images: int
    # The expected false alarm rate, and the interval that holds the actual rate with 95 % confidence.
    false_alarms: float
    low: float
    high: float

    @staticmethod
    def check_rate(false_alarms: float) -> None:
        """Raise UserError unless a rate is between 0 and 1."""
        if not 0 < false_alarms < 1:
            raise UserError(
                f"the false alarm rate is {false_alarms:g}, but must be between 0 and 1, such as 0.01"
            )

    @staticmethod
    def count_needed(false_alarms: float) -> int:
        """Return how many normal images a false alarm rate needs at least."""
        return max(1, math.ceil(1 / false_alarms - 1e-9) - 1)

    @classmethod
    def fit(cls, normal: Scores, false_alarms: float) -> Self:
        """Find the lowest threshold with an expected false alarm rate of at most `false_alarms`.

        Args:
            normal: (N,) scores of normal images that nothing else was fitted to.
            false_alarms: in (0, 1).

        Raises:
            UserError: the rate is out of range, or there are too few images for it.
        """
        cls.check_rate(false_alarms)
        count = len(normal)
        # 0.29 · 100 is 28.999999999999996.
        rank = min(count, math.floor(false_alarms * (count + 1) + 1e-9))
        if rank < 1:
            raise UserError(
                f"{words.pluralize(count, 'normal image')} cannot set a threshold for a false alarm rate of "
                f"{false_alarms:g}: at least {cls.count_needed(false_alarms)} are needed. Add normal images, "
                "or allow a higher rate"
            )
        rate = beta(rank, count + 1 - rank)
        low, high = rate.interval(CONFIDENCE)
        value = float(np.sort(normal)[-rank])
        return cls(value, count, rank / (count + 1), float(low), float(high))

    def detect(self, scores: Scores) -> npt.NDArray[np.bool_]:
        """Return which scores (N,) are above the threshold: (N,) bool."""
        return scores > self.value
