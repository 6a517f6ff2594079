"""Further experiments on the same library, each a DVC project of its own."""

from pathlib import Path

from cae.ground import runtime

# Before anything a study imports: NumPy and TensorFlow read the environment when they load.
runtime.pin()

PREPARED = Path("data/prepared")
