"""The tables of the rate study for README.md, made from its committed results."""

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
Table = tuple[list[str], list[list[str]]]
"""The header, and the rows below it."""
BUDGETS = (128, 256, 512, 904, 1024)


def by_numbers() -> Table:
    """Compare squared error, SSIM and what a linear probe reads, one row a code size."""
    table = pd.read_csv(HERE / "plots/rate.csv").set_index(["method", "numbers"])
    published = pd.read_csv(HERE / "published.csv").dropna(subset="numbers").set_index("numbers")
    rows = []
    for size in table.loc["residual"].index:
        ours, pca = table.loc[("residual", size)], table.loc[("PCA", size)]
        theirs = published.loc[size] if size in published.index else None
        rows.append(
            [
                f"{size}",
                *(f"{method['mse']:.5f}" for method in (ours, pca)),
                "" if theirs is None else f"{theirs['mse']:.4f}",
                *(f"{method['ssim']:.3f}" for method in (ours, pca)),
                "" if theirs is None else f"{theirs['ssim']:.3f}",
                f"{ours['bce']:.5f}",
                *(f"{method['linear_all']:.3f}" for method in (ours, pca)),
            ]
        )
    measures = ["MSE", "PCA", "published", "SSIM", "PCA", "published", "BCE", "linear probe", "PCA"]
    return ["numbers", *measures], rows


def by_bits() -> Table:
    """Compare the least squared error within a number of bits: network, PCA, published."""
    ours = pd.read_csv(HERE / "plots/bits.csv").to_dict("records")
    published = pd.read_csv(HERE / "published.csv").dropna(subset="bits").set_index("bits")["mse"]
    rows = []
    for budget in BUDGETS:
        best = [
            min(
                (row for row in ours if row["method"] == name and row["bits"] <= budget),
                key=lambda row: float(row["mse"]),
            )
            for name in ("residual", "PCA")
        ]
        rows.append(
            [
                f"{budget:,}",
                *(f"{row['mse']:.5f} ({row['numbers']:g} × {row['bits_each']:g})" for row in best),
                f"{published[budget]:.4f}" if budget in published.index else "",
            ]
        )
    return ["bits at most", "residual network", "PCA", "published"], rows
