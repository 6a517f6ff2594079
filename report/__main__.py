"""Make a part of the report, or the page of all parts: python -m report STAGE."""

import signal

# Importing TensorFlow takes seconds, in which Ctrl-C would print a traceback. The runner takes over later.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
from pathlib import Path

from stages import runner

parser = argparse.ArgumentParser(prog="python -m report", description="Make a part of the report.")
parser.add_argument("stage")
stage = parser.parse_args().stage
runner.run(f"report.{stage}", stage, Path("report"))
