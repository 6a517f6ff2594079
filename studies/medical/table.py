"""The tables of this study's README.md that other studies do not have."""

import json
from pathlib import Path

import pandas as pd

from studies.detection import METRICS, highlight, read_chosen, write_share

HERE = Path(__file__).parent


def tabulate_sizes() -> pd.DataFrame:
    """Compare residual networks with codes of several sizes by their reconstruction error."""
    metrics = {int(path.stem): json.loads(path.read_text()) for path in (HERE / "sizes").glob("*.json")}
    return pd.DataFrame(
        {"numbers per code": str(size), "validation loss": f"{values['val_loss']:.4f}"}
        | {title: write_share(values[name]) for name, title in METRICS.items()}
        for size, values in sorted(metrics.items())
    )


def tabulate_repeats() -> pd.DataFrame:
    """Compare the methods by mean and standard deviation over the study's split and the others."""
    paths = [HERE / "tables/detection.csv", *sorted((HERE / "repeats").glob("*.csv"))]
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
