"""The tables of the denoising study for README.md, made from its committed results."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from studies.denoising import FILTERS, TITLES

HERE = Path(__file__).parent
Table = tuple[list[str], list[list[str]]]
"""The header, and the rows below it."""
SHORT = {"gaussian": "σ {:g}", "salt_and_pepper": "s&p {:g}", "squares": "square {:g}"}
DIFFERENCES = {
    "over_filters": "best network above the best filter that learned nothing but its strength",
    "over_wiener": "best network above the Wiener filter in the PCA basis",
    "bottleneck": "residual CNN, which has no bottleneck, above the best autoencoder",
}


def psnr(folder: Path = HERE) -> Table:
    """Compare PSNR in dB, mean over images: one row a method, one column a noise."""
    return compared(folder, "psnr", "{:.2f}")


def psnr_of_mean_mse(folder: Path = HERE) -> Table:
    """Compare PSNR of the mean squared error, as `psnr`."""
    return compared(folder, "psnr_of_mean_mse", "{:.2f}")


def ssim(folder: Path = HERE) -> Table:
    """Compare SSIM, as `psnr`."""
    return compared(folder, "ssim", "{:.3f}")


def compared(folder: Path, measure: str, pattern: str) -> Table:
    """Compare the methods by one measure under every noise; the best of each is bold."""
    cells = by_noise(folder, measure)
    noises = list(cells["noisy"])
    best = {noise: max(row[noise] for row in cells.values()) for noise in noises}
    rows = [
        [TITLES[method], *(mark(pattern.format(row[noise]), row[noise] == best[noise]) for noise in noises)]
        for method, row in cells.items()
    ]
    return ["method", *noises], rows


def strengths(folder: Path = HERE) -> Table:
    """Say which strength validation chose for each filter; an asterisk marks the greatest of those tried."""
    chosen, at_edge = by_noise(folder, "chosen"), by_noise(folder, "at_edge")
    rows = [
        [TITLES[method], *(f"{row[noise]:g}{'*' * at_edge[method][noise]}" for noise in row)]
        for method, row in chosen.items()
        if method in (*FILTERS, "wiener")
    ]
    return ["strength of the filter", *chosen["noisy"]], rows


def differences(folder: Path = HERE) -> Table:
    """Say by how much networks are better under the middle Gaussian noise."""
    numbers = json.loads((folder / "metrics/denoising.json").read_text())
    table = pd.read_csv(folder / "plots/denoising.csv")
    deviations = table[table["kind"] == "gaussian"]["strength"].unique()
    rows = [[words, f"{numbers[name]:+.2f}"] for name, words in DIFFERENCES.items()]
    return [f"PSNR at σ = {deviations[len(deviations) // 2]:g}", "dB"], rows


def by_noise(folder: Path, column: str) -> dict[str, dict[str, Any]]:
    """Return one column of plots/denoising.csv as {method: {noise: value}}."""
    cells: dict[str, dict[str, Any]] = {}
    for row in pd.read_csv(folder / "plots/denoising.csv").to_dict("records"):
        noise = SHORT[row["kind"]].format(row["strength"])
        cells.setdefault(row["method"], {})[noise] = row[column]
    return cells


def mark(text: str, best: bool) -> str:
    """Set the best in bold."""
    return f"**{text}**" if best else text
