"""Tables of studies with the stage detect: every method, over all anomalies and by class."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

AUTOENCODER = "autoencoder"
METRICS = {
    "auroc": "AUROC",
    "pixel_auroc": "AUROC of pixels",
    "aupro": "AUPRO",
    "caught": "share of anomalies above the threshold",
    "false_alarms": "share of normal images above it",
}


def read_chosen(study: Path) -> str:
    """Read which score the study has chosen."""
    score: str = yaml.safe_load((study / "params.yaml").read_text())["anomaly"]["score"]
    return score


def tabulate_methods(study: Path) -> pd.DataFrame:
    """Compare the methods over all test images; the score that is chosen is bold."""
    table, chosen = pd.read_csv(study / "tables/detection.csv"), read_chosen(study)
    return pd.DataFrame(
        {"test images": highlight(str(row["method"]), chosen)}
        | {
            title: write_interval(row, name) if f"{name}_low" in row else write_share(row[name])
            for name, title in METRICS.items()
        }
        for row in table.to_dict("records")
    )


def tabulate_classes(study: Path) -> pd.DataFrame:
    """Compare the AUROC of the methods on each class, and list the share of our alarms."""
    table = pd.read_csv(study / "tables/classes.csv")
    methods = [column.removeprefix("auroc ") for column in map(str, table) if column.startswith("auroc ")]
    return pd.DataFrame(
        {"class": row["class"], "images": str(row["images"])}
        | {f"AUROC, {method}": write_share(row[f"auroc {method}"]) for method in methods}
        | {"above our threshold": f"{row['alarms']:.1%}"}
        for row in table.to_dict("records")
    )


def tabulate_reconstruction(study: Path) -> pd.DataFrame:
    """Compare how well the methods reconstruct normal test images."""
    table = pd.read_csv(study / "plots/reconstruction.csv")
    columns = {
        "code_size": ("numbers per code", "{:,.0f}"),
        "parameters": ("parameters", "{:,.0f}"),
        "mse": ("MSE", "{:.5f}"),
        "ssim": ("SSIM", "{:.3f}"),
    }
    return pd.DataFrame(
        {"normal test images": highlight(str(row["method"]), AUTOENCODER)}
        | {
            title: pattern.format(row[name]) if pd.notna(row[name]) else ""
            for name, (title, pattern) in columns.items()
        }
        for row in table.to_dict("records")
    )


def highlight(method: str, chosen: str) -> str:
    """Set the chosen method in bold."""
    return f"**{method}**" if method == chosen else method


def write_interval(row: Mapping[Hashable, Any], name: str) -> str:
    """Write a share with its interval."""
    return f"{row[name]:.3f} ({row[f'{name}_low']:.3f} – {row[f'{name}_high']:.3f})"


def write_share(value: float) -> str:
    """Write a number from 0 to 1 with three digits, and nothing where it could not be measured."""
    return "" if pd.isna(value) else f"{value:.3f}"
