"""What DVC runs on your own pictures: the stages of a project whose folder is their one argument."""

import argparse
from pathlib import Path

# Pins the environment, before NumPy and TensorFlow load.
import stages  # noqa: F401

DEFAULT = Path("own")


def project_folder() -> Path:
    """Return the folder of the project that the command line names, from the top folder: own without one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("project", type=Path, nargs="?", default=DEFAULT)
    folder: Path = parser.parse_args().project
    return folder
