"""Further experiments on the same library."""

# Pins the environment, before NumPy and TensorFlow load.
import stages  # noqa: F401
