"""What DVC runs: one door a stage."""

# Before anything a stage imports: the environment is pinned before NumPy and TensorFlow load.
import cae  # noqa: F401
