"""The tables of this study's README.md."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from studies.denoising.methods import FILTERS, TITLES

HERE = Path(__file__).parent
SHORT = {"gaussian": "σ {:g}", "salt_and_pepper": "s&p {:g}", "squares": "square {:g}"}
# How each metric is written.
FORMATS = {"psnr": "{:.2f}", "psnr_of_mean_mse": "{:.2f}", "ssim": "{:.3f}"}
DIFFERENCES = {
    "over_filters": "best network minus the best filter without training",
    "over_wiener": "best network minus the Wiener filter in the PCA basis",
    "bottleneck": "residual CNN, which has no bottleneck, minus the best autoencoder",
}


def tabulate_metric(metric: str, folder: Path = HERE) -> pd.DataFrame:
    """Compare the methods by one metric with every noise; the best of each column is bold."""
    cells = read_column(metric, folder)
    best = {noise: max(row[noise] for row in cells.values()) for noise in cells["noisy"]}
    return pd.DataFrame(
        {"method": TITLES[method]}
        | {
            noise: f"**{FORMATS[metric].format(value)}**"
            if value == best[noise]
            else FORMATS[metric].format(value)
            for noise, value in row.items()
        }
        for method, row in cells.items()
    )


def tabulate_strengths(folder: Path = HERE) -> pd.DataFrame:
    """List the strength chosen for each filter; an asterisk marks the largest that was tried."""
    chosen, at_edge = read_column("chosen", folder), read_column("at_edge", folder)
    return pd.DataFrame(
        {"strength of the filter": TITLES[method]}
        | {noise: f"{value:g}{'*' * at_edge[method][noise]}" for noise, value in chosen[method].items()}
        for method in (*FILTERS, "wiener")
    )


def tabulate_differences(folder: Path = HERE) -> pd.DataFrame:
    """Compare networks with filters, and with and without a bottleneck, at the middle Gaussian noise."""
    metrics = json.loads((folder / "metrics/denoising.json").read_text())
    table = pd.read_csv(folder / "plots/denoising.csv")
    deviations = table[table["kind"] == "gaussian"]["strength"].unique()
    title = f"PSNR at σ = {deviations[len(deviations) // 2]:g}"
    return pd.DataFrame({title: text, "dB": f"{metrics[name]:+.2f}"} for name, text in DIFFERENCES.items())


def read_column(column: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Read one column of plots/denoising.csv as {method: {noise: value}}."""
    cells: dict[str, dict[str, Any]] = {}
    for row in pd.read_csv(folder / "plots/denoising.csv").to_dict("records"):
        noise = SHORT[row["kind"]].format(row["strength"])
        cells.setdefault(row["method"], {})[noise] = row[column]
    return cells
