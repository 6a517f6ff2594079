"""Pins the environment before anything loads NumPy or TensorFlow."""

import cae  # noqa: F401
