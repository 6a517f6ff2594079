"""The table of this study's README.md."""

from pathlib import Path

import pandas as pd
import yaml

from cae.metrics import detectors

HERE = Path(__file__).parent


def describe_methods(neighbours: int) -> dict[str, str]:
    """Describe every score by its name, in the order of the table."""
    return {
        "ensemble": "**sum of the next row over all seeds**",
        "self_supervised": "**sum of the three scores below and of neighbours on 14 × 14 pixels**",
        "transformations": "predict how an image was turned, shifted and stretched",
        "positions": "predict where a square was cropped from an image",
        "gradient_nearest": f"nearest neighbours by gradients, k = {neighbours}, no network",
        "combined": "sum of the three distances below",
        "code_nearest": f"nearest neighbours by code, k = {neighbours}",
        "code_mahalanobis": "Mahalanobis distance by code",
        "small_nearest": f"nearest neighbours on 14 × 14 pixels, k = {neighbours}, no network",
        "reconstruction_error": "reconstruction error of the autoencoder",
        "pca_error": "baseline: PCA error, 128 components",
        "nearest": f"baseline: nearest neighbours, k = {neighbours}",
        "one_class_svm": f"baseline: one-class SVM, ν = {detectors.NU}",
        "isolation_forest": f"baseline: isolation forest, {detectors.TREES} trees",
    }


def tabulate_methods(folder: Path = HERE) -> pd.DataFrame:
    """Compare all methods, mean ± standard deviation over the ten classes, with chance and published ones."""
    table = pd.read_csv(folder / "plots/table.csv")
    ours = table[table["source"].isna()].set_index(["method", "transform"])
    neighbours = yaml.safe_load((HERE / "params.yaml").read_text())["neighbours"]

    def write_cell(method: str, transform: str, measure: str) -> str:
        if (method, transform) not in ours.index:
            return ""
        mean, sd = ours.loc[(method, transform), [measure, f"{measure}_sd"]]
        return f"{mean:.1f} ± {sd:.1f}"

    rows = [
        [
            name,
            write_cell(method, "pixels", "auroc"),
            write_cell(method, "roots", "auroc"),
            write_cell(method, "roots", "average_precision"),
        ]
        for method, name in describe_methods(neighbours).items()
    ]
    rows.append(["chance", "50.0", "50.0", "90.0"])
    rows += [
        [f"published: {row.method} ({row.source})", f"{row.auroc:.1f} ± {row.auroc_sd:g}", "", ""]
        for row in table[table["source"].notna()].itertuples()
    ]
    header = [
        "one class against nine",
        "AUROC, % (pixels)",
        "AUROC, % (roots)",
        "average precision, % (roots)",
    ]
    return pd.DataFrame(rows, columns=header)
