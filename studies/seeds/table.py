"""The tables of the seed study for README.md, made from its committed results."""

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
Table = tuple[list[str], list[list[str]]]
"""The header, and the rows below it."""


def noise() -> Table:
    """Say how far each metric moves when nothing but the seed changes."""
    table = pd.read_csv(HERE / "plots/noise.csv")
    columns = ["mean", "sd", "least", "most", "noise"]
    rows = [
        [f"`{row['metric']}`", *(f"{row[name]:.5f}" for name in columns)] for row in table.to_dict("records")
    ]
    return ["metric", *columns[:-1], "noise below"], rows
