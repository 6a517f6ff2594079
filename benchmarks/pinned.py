"""Pins the environment and loads TensorFlow silently: to be imported first."""

import stages  # noqa: F401
from cae.core import environment

environment.import_quietly("tensorflow")
