"""Tables of a study that ran the stages of own pictures: every method, over all anomalies and by class."""

import json
from pathlib import Path

import pandas as pd

OURS = "autoencoder"
MEASURES = {
    "auroc": "AUROC",
    "pixel_auroc": "AUROC of pixels",
    "aupro": "AUPRO",
    "caught": "anomalies caught",
    "false_alarms": "false alarms",
}
Table = tuple[list[str], list[list[str]]]


def measured(project: Path) -> dict[str, float]:
    """Read what training and detection measured of a project."""
    return {
        name: value
        for stage in ("train", "detect")
        for name, value in json.loads((project / f"metrics/{stage}.json").read_text()).items()
    }


def by_method(study: Path) -> Table:
    """Return head and rows of what each method reaches, ours first."""
    table = pd.read_csv(study / "tables/detection.csv")
    rows = [
        [named(row["method"]), *(cell(row[measure]) for measure in MEASURES)] for _, row in table.iterrows()
    ]
    return ["test pictures", *MEASURES.values()], rows


def by_class(study: Path) -> Table:
    """Return head and rows of the AUROC of every method on each class, and of our alarms."""
    table = pd.read_csv(study / "tables/classes.csv")
    methods = [column.removeprefix("auroc ") for column in map(str, table) if column.startswith("auroc ")]
    head = ["class", "pictures", *(f"AUROC, {method}" for method in methods), "above our threshold"]
    rows = [
        [
            row["class"],
            str(row["pictures"]),
            *(cell(row[f"auroc {method}"]) for method in methods),
            f"{row['alarms']:.1%}",
        ]
        for _, row in table.iterrows()
    ]
    return head, rows


def reconstruction(study: Path) -> Table:
    """Return head and rows of how well normal test pictures are reconstructed."""
    table = pd.read_csv(study / "plots/reconstruction.csv")
    rows = [
        [
            named(row["method"]),
            *(f"{row[name]:,.0f}" if pd.notna(row[name]) else "" for name in ("code_size", "parameters")),
            f"{row['mse']:.5f}",
            f"{row['ssim']:.3f}",
        ]
        for _, row in table.iterrows()
    ]
    return ["normal test pictures", "numbers a picture", "parameters", "MSE", "SSIM"], rows


def named(method: str) -> str:
    """Set our method apart."""
    return f"**{method}**" if method == OURS else method


def cell(value: float) -> str:
    """Write a share with three digits, and nothing where it could not be measured."""
    return "" if pd.isna(value) else f"{value:.3f}"
