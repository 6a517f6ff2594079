"""The tables of README.md, from the committed results."""

from pathlib import Path

import pandas as pd

from studies.score import FOLDERS

STUDY = Path(__file__).parent


def tabulate_scores(folder: Path = STUDY) -> pd.DataFrame:
    """Compare the scores at their best smoothing, the best first."""
    table = pd.read_csv(folder / "tables/scores.csv").drop_duplicates(["network", "score"])
    for column in ("auroc", "pixel_auroc", "industrial", "medical", "fashion_mnist"):
        table[column] = table[column].map("{:.3f}".format)
    titles = {
        "auroc": "mean AUROC",
        "pixel_auroc": "mean AUROC of pixels",
        "fashion_mnist": "Fashion-MNIST",
    }
    return table.rename(columns=titles)


def tabulate_kinds(folder: Path = STUDY) -> pd.DataFrame:
    """Compare the scores by the kind of defect, at the smoothing that is best for them."""
    best = pd.read_csv(folder / "tables/scores.csv").drop_duplicates(["network", "score"])
    rows = pd.concat([pd.read_csv(folder / f"scores/{data}.csv") for data in sorted(FOLDERS)])
    chosen = best[["network", "score", "smoothing"]].merge(rows, how="left")
    means = chosen.pivot_table(
        index=["network", "score"], columns="kind", values="auroc", aggfunc="mean", sort=False
    )
    return means.map("{:.3f}".format).reset_index().rename_axis(columns=None)
