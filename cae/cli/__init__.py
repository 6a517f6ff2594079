"""The command `cae`: use a trained network on your own images.

`default.keras` is models/autoencoder.keras of the main pipeline, as dvc.lock has it.
"""

from pathlib import Path

from cae.core import environment

# Before NumPy and TensorFlow are imported, which read the environment then.
environment.set_variables()

DEFAULT_MODEL = Path(__file__).with_name("default.keras")
