"""The table of README.md, from the committed results."""

from pathlib import Path

import pandas as pd

STUDY = Path(__file__).parent


def tabulate_losses(folder: Path = STUDY) -> pd.DataFrame:
    """Compare the recipes by validation loss, the lowest mean first."""
    runs = pd.read_csv(folder / "plots/recipe.csv")
    losses = runs.pivot(index=["batch_size", "learning_rate"], columns="seed", values="val_loss")
    losses.columns = [f"seed {seed}" for seed in losses]
    losses["mean"] = losses.mean(axis=1)
    losses = losses.sort_values("mean").map("{:.5f}".format).reset_index()
    losses["learning_rate"] = losses["learning_rate"].map("{:g}".format)
    return losses.rename(columns={"batch_size": "batch size", "learning_rate": "learning rate"})
