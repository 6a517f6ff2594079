"""The tables of README.md, from the committed results."""

import math
from pathlib import Path

import pandas as pd

STUDY = Path(__file__).parent


def tabulate_noise() -> pd.DataFrame:
    """Tabulate how much each metric varies between seeds."""
    table = pd.read_csv(STUDY / "plots/noise.csv").rename(columns={"noise": "noise below"})
    numbers = table.drop(columns="metric").map("{:.5f}".format)
    return pd.concat([table["metric"].map("`{}`".format), numbers], axis=1)


def tabulate_failed() -> pd.DataFrame:
    """Tabulate how many networks failed at each learning rate, and the losses of the others."""
    return pd.DataFrame(
        {
            "learning rate": f"{row['learning_rate']:g}",
            "failed": f"{row['failed']} of {row['networks']}",
            "of all seeds, 95 %": f"{100 * row['least']:.0f} – {100 * row['most']:.0f} %",
            "all images alike": f"{row['same']}",
            "others: median loss": format_loss(row["median_loss"]),
            "others: worst loss": format_loss(row["worst_loss"]),
        }
        for row in pd.read_csv(STUDY / "plots/failed.csv").to_dict("records")
    )


def format_loss(value: float) -> str:
    """Write a loss; where all networks failed there is none."""
    return "–" if math.isnan(value) else f"{value:.4f}"
