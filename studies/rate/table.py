"""The tables of README.md, from the committed results."""

from pathlib import Path

import pandas as pd

STUDY = Path(__file__).parent
BUDGETS = (128, 256, 512, 904, 1024)


def tabulate_by_size() -> pd.DataFrame:
    """Compare squared error, SSIM and the accuracy of a linear probe, one row per code size."""
    table = pd.read_csv(STUDY / "plots/rate.csv").set_index(["method", "numbers"])
    published = pd.read_csv(STUDY / "published.csv").dropna(subset="numbers").set_index("numbers")
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
    metrics = ["MSE", "PCA", "published", "SSIM", "PCA", "published", "BCE", "linear probe", "PCA"]
    return pd.DataFrame(rows, columns=["numbers", *metrics])


def tabulate_by_bits() -> pd.DataFrame:
    """Compare the lowest squared error within a number of bits: network, PCA, published."""
    ours = pd.read_csv(STUDY / "plots/bits.csv").sort_values("mse").to_dict("records")
    published = pd.read_csv(STUDY / "published.csv").dropna(subset="bits").set_index("bits")["mse"]
    rows = []
    for budget in BUDGETS:
        best = [
            next(row for row in ours if row["method"] == method and row["bits"] <= budget)
            for method in ("residual", "PCA")
        ]
        rows.append(
            [
                f"{budget:,}",
                *(f"{row['mse']:.5f} ({row['numbers']} × {row['bits_each']})" for row in best),
                f"{published[budget]:.4f}" if budget in published.index else "",
            ]
        )
    return pd.DataFrame(rows, columns=["bits at most", "residual network", "PCA", "published"])
