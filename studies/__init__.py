"""Further experiments on the same library."""

from pathlib import Path

# Before anything a study imports: the environment is pinned before NumPy and TensorFlow load.
import cae  # noqa: F401

PREPARED = Path("data/prepared")
