"""The table of the anomaly study for README.md, made from its committed results."""

from pathlib import Path

import pandas as pd

TABLE = Path(__file__).with_name("plots") / "table.csv"
METHODS = {
    "combined": "**sum of the three distances below**",
    "code_nearest": "nearest neighbours by code, k = 5",
    "code_mahalanobis": "Mahalanobis distance by code",
    "small_nearest": "nearest neighbours on 14 × 14 pixels, k = 5, no network",
    "error": "reconstruction error of the autoencoder",
    "pca_error": "baseline: PCA error, 128 components",
    "nearest": "baseline: nearest neighbours, k = 5",
    "one_class_svm": "baseline: one-class SVM, ν = 0.1",
    "isolation_forest": "baseline: isolation forest, 100 trees",
}
HEADER = ["one class against nine", "AUROC, % (pixels)", "AUROC, % (roots)", "average precision, % (roots)"]


def rows(path: Path = TABLE) -> list[list[str]]:
    """Return one row a method, mean ± sd over the ten classes, then chance and the published ones."""
    table = pd.read_csv(path)
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
        for method, name in METHODS.items()
    ]
    published = [
        [f"published: {row.method} ({row.source})", f"{row.auroc:.1f} ± {row.auroc_sd:.1f}", "", ""]
        for row in table[table["source"].notna()].itertuples()
    ]
    return [*lines, ["chance", "50.0", "50.0", "90.0"], *published]
