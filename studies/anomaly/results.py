"""Metrics of the study, as DVC can read them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cae import artifacts


def write(path: Path, measured: Mapping[str, Any]) -> None:
    """Write what was measured for each method, by its name."""
    # DVC takes a key "error" for a file that it could not load.
    names = {"error": "reconstruction_error"}
    artifacts.write_json(path, {names.get(name, name): values for name, values in measured.items()})
