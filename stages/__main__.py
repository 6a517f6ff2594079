"""Run a stage of the main pipeline: python -m stages STAGE."""

import sys

from cae.core import params
from stages import command

command.run_module(f"stages.{sys.argv.pop(1)}", params.load)
