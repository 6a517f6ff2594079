"""Run a stage of a study: python -m studies STUDY STAGE [options]."""

import sys
from importlib import import_module

from stages import command

study, stage = sys.argv.pop(1), sys.argv.pop(1)
command.run_module(f"studies.{study}.{stage}", import_module(f"studies.{study}.settings").load)
