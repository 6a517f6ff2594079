"""What DVC runs: one door a stage, and the folders that they share."""

import signal
import sys
from pathlib import Path

# The imports below take seconds, and Ctrl-C in one would print a traceback; `command.run` takes over later.
if sys.argv[0] == "-m":
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from cae.core import environment

# Before anything a stage imports: NumPy and TensorFlow read the environment when they load.
environment.set_variables()

PREPARED = Path("data/prepared")
BASELINES = Path("data/baselines")
MODELS = Path("models")
PLOTS = Path("plots")
