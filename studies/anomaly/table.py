"""The table of the anomaly study for README.md, made from its committed results."""

from pathlib import Path

import pandas as pd

from cae.metrics import anomaly
from studies.anomaly import settings

HERE = Path(__file__).parent
HEADER = ["one class against nine", "AUROC, % (pixels)", "AUROC, % (roots)", "average precision, % (roots)"]


def methods(neighbours: int) -> dict[str, str]:
    """Describe every score by its name, in the order of the table."""
    return {
        "combined": "**sum of the three distances below**",
        "code_nearest": f"nearest neighbours by code, k = {neighbours}",
        "code_mahalanobis": "Mahalanobis distance by code",
        "small_nearest": f"nearest neighbours on 14 × 14 pixels, k = {neighbours}, no network",
        "reconstruction_error": "reconstruction error of the autoencoder",
        "pca_error": "baseline: PCA error, 128 components",
        "nearest": f"baseline: nearest neighbours, k = {neighbours}",
        "one_class_svm": f"baseline: one-class SVM, ν = {anomaly.NU}",
        "isolation_forest": f"baseline: isolation forest, {anomaly.TREES} trees",
    }


def rows() -> list[list[str]]:
    """Return one row a method, mean ± sd over the ten classes, then chance and the published ones."""
    table = pd.read_csv(HERE / "plots/table.csv")
    ours = table[table["source"].isna()].set_index(["method", "view"])

    def cell(method: str, view: str, measure: str) -> str:
        mean, sd = ours.loc[(method, view), [measure, f"{measure}_sd"]]
        return f"{mean:.1f} ± {sd:.1f}"

    lines = [
        [
            name,
            cell(method, "pixels", "auroc"),
            cell(method, "roots", "auroc"),
            cell(method, "roots", "average_precision"),
        ]
        for method, name in methods(settings.load(HERE / "params.yaml").anomaly.neighbours).items()
    ]
    published = [
        [f"published: {row.method} ({row.source})", f"{row.auroc:.1f} ± {row.auroc_sd:g}", "", ""]
        for row in table[table["source"].notna()].itertuples()
    ]
    return [*lines, ["chance", "50.0", "50.0", "90.0"], *published]
