"""What DVC runs: one door a stage."""

import signal
import sys

# The imports below take seconds, and Ctrl-C in one would print a traceback; `command.run` takes over later.
if sys.argv[0] == "-m":
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# Before anything a stage imports: the environment is pinned before NumPy and TensorFlow load.
import cae  # noqa: F401
