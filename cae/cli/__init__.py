"""What a trained network does with people's own pictures: the commands of `cae`.

`default.keras` is models/autoencoder.keras of the main pipeline, as dvc.lock has it.
"""

from pathlib import Path

from cae.core import environment

# A door, as a stage is: before NumPy and TensorFlow load, which read the environment then.
environment.set_variables()

DEFAULT = Path(__file__).with_name("default.keras")
