"""Run a stage of a study: python -m studies STUDY STAGE [ARGUMENT …]."""

import signal

# Importing TensorFlow takes seconds, in which Ctrl-C would print a traceback. The runner takes over later.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
from pathlib import Path

from stages import runner

parser = argparse.ArgumentParser(prog="python -m studies", description="Run a stage of a study.")
parser.add_argument("study")
parser.add_argument("stage")
parser.add_argument("arguments", nargs="*", help="values of the stage's matrix")
chosen = parser.parse_args()
folder = Path("studies") / chosen.study
runner.run(f"studies.{chosen.study}.{chosen.stage}", chosen.stage, folder, chosen.arguments)
