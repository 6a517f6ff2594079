"""Further experiments on the same library."""

# Before anything a study imports: the environment is pinned before NumPy and TensorFlow load.
import cae  # noqa: F401
