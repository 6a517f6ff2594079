"""The tables of this study's README.md that other studies do not have."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from studies.detection import METRICS, highlight, read_chosen, write_share

HERE = Path(__file__).parent


def read_parameters() -> dict[str, Any]:
    """Read params.yaml."""
    parameters: dict[str, Any] = yaml.safe_load((HERE / "params.yaml").read_text())
    return parameters


def tabulate_sizes() -> pd.DataFrame:
    """Compare residual networks with codes of several sizes by their reconstruction error."""
    sizes = read_parameters()["sizes"]
    metrics = {size: json.loads((HERE / f"sizes/{size}.json").read_text()) for size in sizes}
    return pd.DataFrame(
        {"numbers per code": str(size), "validation loss": f"{values['val_loss']:.4f}"}
        | {title: write_share(values[name]) for name, title in METRICS.items()}
        for size, values in metrics.items()
    )


def tabulate_repeats() -> pd.DataFrame:
    """Compare the methods by mean and standard deviation over the study's split and the others."""
    paths = [
        HERE / "tables/detection.csv",
        *(HERE / f"repeats/{places}.csv" for places in read_parameters()["repeats"]),
    ]
    runs = pd.concat([pd.read_csv(path) for path in paths]).groupby("method", sort=False)
    means, deviations = runs.mean(numeric_only=True), runs.std(numeric_only=True)
    return pd.DataFrame(
        {f"mean ± deviation of {len(paths)} splits": highlight(str(method), read_chosen(HERE))}
        | {
            METRICS[name]: f"{means.loc[method, name]:.3f} ± {deviations.loc[method, name]:.3f}"
            for name in ("auroc", "pixel_auroc", "aupro")
        }
        for method in means.index
    )
