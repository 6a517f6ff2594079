"""The table of code sizes for README.md, made from committed results."""

import json
from pathlib import Path

import yaml

from studies.detection import MEASURES, Table, cell, measured

HERE = Path(__file__).parent


def by_size() -> Table:
    """Return head and rows of what networks with codes of other sizes reach, the study's own last."""
    runs = {int(path.stem): json.loads(path.read_text()) for path in (HERE / "sizes").glob("*.json")}
    own = yaml.safe_load((HERE / "params.yaml").read_text())["model"]["residual"]["code_size"]
    runs[own] = measured(HERE)
    rows = [
        [str(size), f"{run['val_loss']:.4f}", *(cell(run[measure]) for measure in MEASURES)]
        for size, run in sorted(runs.items())
    ]
    return ["numbers of the code", "validation loss", *MEASURES.values()], rows
