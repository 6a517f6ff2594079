"""A distribution of pictures: how probable it holds those of the test split, and what is drawn from it."""

from pathlib import Path

STUDY = Path("studies/variational")
