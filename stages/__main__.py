"""Run a stage: python -m stages STAGE [PROJECT]."""

import signal

# Importing TensorFlow takes seconds, in which Ctrl-C would print a traceback. The runner takes over later.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
from pathlib import Path

from stages import runner

STAGES = ("prepare", "baselines", "train", "evaluate", "probe", "detect")

parser = argparse.ArgumentParser(prog="python -m stages", description="Run a stage of a project.")
parser.add_argument("stage", choices=STAGES)
parser.add_argument("project", type=Path, nargs="?", default=Path(), help="its folder, with dvc.yaml")
arguments = parser.parse_args()
runner.run(f"stages.{arguments.stage}", arguments.stage, arguments.project)
