"""The tables of the seed study for README.md, made from its committed results."""

import math
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


def deaths() -> Table:
    """Say how many networks end dead at each learning rate, and what the others reach."""
    header = ["learning rate", "dead", "of all seeds, 95 %", "one answer for all"]
    rows = [
        [
            f"{row['learning_rate']:g}",
            f"{row['dead']} of {row['networks']}",
            f"{100 * row['least']:.0f} – {100 * row['most']:.0f} %",
            f"{row['same']}",
            loss(row["median_loss"]),
            loss(row["worst_loss"]),
        ]
        for row in pd.read_csv(HERE / "plots/deaths.csv").to_dict("records")
    ]
    return [*header, "living: median loss", "living: worst loss"], rows


def loss(value: float) -> str:
    """Write a loss; there is none where no network lives."""
    return "–" if math.isnan(value) else f"{value:.4f}"
