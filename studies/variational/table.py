"""The tables of the variational study for README.md, made from its committed results."""

from pathlib import Path

import pandas as pd

from studies.variational.report import OURS

HERE = Path(__file__).parent
Table = tuple[list[str], list[list[str]]]
"""The header, and the rows below it."""
BETAS = {
    "log_likelihood": ("log-likelihood", "{:.2f}"),
    "elbo": ("ELBO", "{:.2f}"),
    "reconstruction": ("reconstruction", "{:.2f}"),
    "kl": ("KL", "{:.2f}"),
    "active_units": ("active units", "{:.0f}"),
    "bce": ("BCE", "{:.5f}"),
    "mse": ("MSE", "{:.5f}"),
    "ssim": ("SSIM", "{:.3f}"),
}


def by_likelihood(folder: Path = HERE) -> Table:
    """Set our log-likelihood among published ones and below the floor; ours is bold."""
    rows = [
        [
            f"**{row['method']}**" if row["method"] == OURS else row["method"],
            f"{row['log_likelihood']:.2f}",
            "" if pd.isna(row["plus_minus"]) else f"{row['plus_minus']:.2f}",
            "" if pd.isna(row["source"]) else row["source"],
        ]
        for row in pd.read_csv(folder / "plots/table.csv").to_dict("records")
    ]
    return ["nats a test picture", "log-likelihood", "±", "published in"], rows


def by_beta(folder: Path = HERE) -> Table:
    """Compare the weights of the divergence, one row each."""
    rows = [
        [f"{row['beta']:g}"]
        + ["" if pd.isna(row[name]) else pattern.format(row[name]) for name, (_, pattern) in BETAS.items()]
        for row in pd.read_csv(folder / "plots/betas.csv").to_dict("records")
    ]
    return ["β", *(title for title, _ in BETAS.values())], rows
