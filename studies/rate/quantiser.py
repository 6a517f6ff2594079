"""Codes rounded to few bits a number."""

from typing import NamedTuple, Self

import numpy as np

from cae.core.arrays import Rows


class Quantiser(NamedTuple):
    """2^bits equal steps for each number of a code, between the least and the most seen in training.

    level = round((z − least) / step), kept within 0 … 2^bits − 1;  z̃ = least + step·level
    """

    least: Rows  # (D,)
    step: Rows  # (D,)
    bits: int

    @classmethod
    def fitted(cls, codes: Rows, bits: int) -> Self:
        """Fit the range of each number to training codes (N, D); a number that never changes has no range."""
        least, most = codes.min(axis=0), codes.max(axis=0)
        return cls(least, np.maximum((most - least) / (2**bits - 1), np.finfo(np.float32).tiny), bits)

    def rounded(self, codes: Rows) -> Rows:
        """Return codes (N, D) as a decoder gets them: each number moved to its nearest level."""
        levels = np.clip(np.round((codes - self.least) / self.step), 0, 2**self.bits - 1)
        return (self.least + self.step * levels).astype(np.float32)
