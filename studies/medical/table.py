"""The table of code sizes in this study's README.md."""

import json
from pathlib import Path

import pandas as pd
import yaml

from studies.detection import METRICS, read_metrics, write_share

HERE = Path(__file__).parent


def tabulate_sizes() -> pd.DataFrame:
    """Compare networks with codes of several sizes, the study's own among them."""
    metrics = {int(path.stem): json.loads(path.read_text()) for path in (HERE / "sizes").glob("*.json")}
    code_size = yaml.safe_load((HERE / "params.yaml").read_text())["model"]["residual"]["code_size"]
    metrics[code_size] = read_metrics(HERE)
    return pd.DataFrame(
        {"numbers per code": str(size), "validation loss": f"{values['val_loss']:.4f}"}
        | {title: write_share(values[name]) for name, title in METRICS.items()}
        for size, values in sorted(metrics.items())
    )
