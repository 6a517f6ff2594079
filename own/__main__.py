"""Run a stage on your own images: python -m own STAGE [PROJECT]."""

import sys

from own import project_folder, settings
from stages import command

name = sys.argv.pop(1)
command.run_module(f"own.{name}", lambda: settings.load(project_folder()))
