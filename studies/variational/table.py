"""The tables of README.md, from the committed results."""

from pathlib import Path

import pandas as pd

from studies.variational import OURS

STUDY = Path(__file__).parent
BETAS = {
    "beta": ("β", "{:g}"),
    "log_likelihood": ("log-likelihood", "{:.2f}"),
    "elbo": ("ELBO", "{:.2f}"),
    "reconstruction": ("reconstruction", "{:.2f}"),
    "kl": ("KL", "{:.2f}"),
    "active_units": ("active units", "{:.0f}"),
    "bce": ("BCE", "{:.5f}"),
    "mse": ("MSE", "{:.5f}"),
    "ssim": ("SSIM", "{:.3f}"),
}


def tabulate_likelihoods(folder: Path = STUDY) -> pd.DataFrame:
    """Compare our log-likelihood with published ones and with the floor; ours is bold."""
    return pd.DataFrame(
        {
            "nats per test image": f"**{row['method']}**" if row["method"] == OURS else row["method"],
            "log-likelihood": f"{row['log_likelihood']:.2f}",
            "±": "" if pd.isna(row["plus_minus"]) else f"{row['plus_minus']:.2f}",
            "published in": "" if pd.isna(row["source"]) else row["source"],
        }
        for row in pd.read_csv(folder / "plots/table.csv").to_dict("records")
    )


def tabulate_betas(folder: Path = STUDY) -> pd.DataFrame:
    """Compare the weights of the divergence, one row each."""
    return pd.DataFrame(
        {
            title: "" if pd.isna(row[name]) else pattern.format(row[name])
            for name, (title, pattern) in BETAS.items()
        }
        for row in pd.read_csv(folder / "plots/betas.csv").to_dict("records")
    )
