"""Further experiments on the same library."""

import argparse
from collections.abc import Callable, Collection
from typing import TypeVar

# Pins the environment, before NumPy and TensorFlow load.
import stages  # noqa: F401

Value = TypeVar("Value")


def read_argument(name: str, kind: Callable[[str], Value], choices: Collection[Value] | None = None) -> Value:
    """Return the one argument of a stage, from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument(name, type=kind, choices=choices)
    value: Value = getattr(parser.parse_args(), name)
    return value
