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
    return (["metric", "mean", "sd", "least", "most", "noise below"], rows)


def deaths() -> Table:
    """Say how many networks ended dead at each learning rate."""
    table = pd.read_csv(HERE / "plots/deaths.csv")
    rows = [
        [
            f"{row['learning_rate']:g}",
            f"{row['dead']:g} of {row['networks']:g}",
            f"{row['warned']:g}",
            f"{row['median_val_loss']:.5f}",
            f"{row['worst_living_val_loss']:.5f}",
        ]
        for row in table.to_dict("records")
    ]
    header = ["learning rate", "dead", "warned of", "median validation loss", "worst of the living"]
    return (header, rows)
