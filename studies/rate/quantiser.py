"""Codes rounded to a few bits per number."""

from typing import NamedTuple, Self

import numpy as np

from cae.core.arrays import Rows


class Quantiser(NamedTuple):
    """A uniform quantiser with 2^bits levels for each number of a code, between its extremes in training.

    level = round((z − low) / step), clipped to 0 … 2^bits − 1;  z̃ = low + step·level
    """

    low: Rows  # (D,)
    step: Rows  # (D,)
    bits: int

    @classmethod
    def fit(cls, codes: Rows, bits: int) -> Self:
        """Fit the range of each number to training codes (N, D)."""
        low, high = codes.min(axis=0), codes.max(axis=0)
        # A number that is the same in all codes has no range: no division by 0.
        return cls(low, np.maximum((high - low) / (2**bits - 1), np.finfo(np.float32).tiny), bits)

    def quantise(self, codes: Rows) -> Rows:
        """Move each number of codes (N, D) to its nearest level."""
        levels = np.clip(np.round((codes - self.low) / self.step), 0, 2**self.bits - 1)
        return (self.low + self.step * levels).astype(np.float32)
