"""A distribution of pictures: how probable it holds those of the test split, and what is drawn from it."""

from pathlib import Path

STUDY = Path("studies/variational")
# What random codes are for: beside a seed, so that no two of these share their draws.
BOUND, LIKELIHOOD, SAMPLES, CHOICE = 1, 2, 3, 4
