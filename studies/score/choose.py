"""Choose the score that finds drawn defects best, over all data sets and kinds."""

import pandas as pd

from cae.core import files
from stages.runner.project import Project, Results
from studies.score import FOLDERS

COMBINATION = ["network", "score", "smoothing"]


def choose(project: Project) -> Results:
    """Return the AUROC of each combination, the best first, and the one that is chosen."""
    parts = [files.read_csv(project.path(f"scores/{data}.csv")).assign(data=data) for data in FOLDERS]
    table = summarise(pd.concat(parts))
    best = table.iloc[0]
    return {
        "tables/scores.csv": table,
        "metrics/score.json": {
            "auroc": float(best["auroc"]),
            "network": str(best["network"]),
            "pixel_auroc": float(best["pixel_auroc"]),
            "score": str(best["score"]),
            "smoothing": float(best["smoothing"]),
        },
    }


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Average over kinds, then over data sets, each of which counts as much; the highest AUROC first."""
    by_data = rows.groupby([*COMBINATION, "data"])[["auroc", "pixel_auroc"]].mean()
    table = by_data.groupby(COMBINATION).mean()
    for data in FOLDERS:
        table[data] = by_data["auroc"].xs(data, level="data")
    return table.sort_values("auroc", ascending=False, kind="stable").reset_index()
