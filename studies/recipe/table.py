"""The table of the recipe study for README.md, made from its committed results."""

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
Table = tuple[list[str], list[list[str]]]
"""The header, and the rows below it."""


def by_recipe(folder: Path = HERE) -> Table:
    """Compare the recipes by validation loss, the best mean first."""
    results = pd.read_csv(folder / "plots/recipe.csv")
    seeds = sorted(results["seed"].unique())
    losses = results.pivot(index=["batch_size", "learning_rate"], columns="seed", values="val_loss")
    losses["mean"] = losses.mean(axis=1)
    rows = [
        [f"{row['batch_size']:g}", f"{row['learning_rate']:g}"]
        + [f"{row[column]:.5f}" for column in (*seeds, "mean")]
        for row in losses.sort_values("mean").reset_index().to_dict("records")
    ]
    return ["batch size", "learning rate", *(f"seed {seed}" for seed in seeds), "mean"], rows
