"""Pins the environment before anything loads NumPy or TensorFlow."""

from cae.ground import runtime

runtime.pin()
