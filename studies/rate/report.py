"""Compare the residual network, PCA and published figures: error by code size and by bits."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cae.core import files
from cae.core.config import Increasing, Section
from cae.networks.settings import CodeSize
from stages.runner.project import Project, Results
from studies.rate import figures

METHODS = ("residual", "PCA")
COLUMNS = ("mse", "ssim", "bce", "linear_all")
Runs = Mapping[int, Mapping[str, Any]]
"""Code size → what `measure` returns."""


class Settings(Section):
    """The code sizes."""

    code_sizes: Increasing[CodeSize]


def report(project: Project, settings: Settings) -> Results:
    """Return the network's squared errors, the tables, and figures that compare all methods."""
    runs = {size: json.loads(project.path(f"runs/{size}.json").read_text()) for size in settings.code_sizes}
    published = files.read_csv(project.path("published.csv"), remake="git checkout studies")
    by_size, by_bits = tabulate_by_size(runs), tabulate_by_bits(runs)
    return {
        "metrics/rate.json": {f"mse_{size}": run["residual"]["mse"] for size, run in runs.items()},
        "plots/rate.csv": by_size,
        "plots/bits.csv": by_bits,
        "plots/curves/rate.png": figures.plot_by_size(by_size, published),
        "plots/curves/bits.png": figures.plot_by_bits(select_best(by_bits), published),
    }


def tabulate_by_size(runs: Runs) -> pd.DataFrame:
    """Tabulate the metrics of codes as they are: method, numbers, mse, ssim, bce, linear_all."""
    return pd.DataFrame(
        {"method": method, "numbers": size, **{name: run[method][name] for name in COLUMNS}}
        for method in METHODS
        for size, run in runs.items()
    )


def tabulate_by_bits(runs: Runs) -> pd.DataFrame:
    """Tabulate the error of quantised codes: method, numbers, bits per number, bits per code, mse."""
    return pd.DataFrame(
        {"method": method, "numbers": size, "bits_each": int(each), "bits": size * int(each), "mse": mse}
        for method in METHODS
        for size, run in runs.items()
        for each, mse in run[method]["mse_by_bits"].items()
    )


def select_best(table: pd.DataFrame) -> pd.DataFrame:
    """Select the rows with a lower error than every row of the same method with at most as many bits."""
    ordered = table.sort_values(["bits", "mse"])
    best_before = ordered.groupby("method")["mse"].transform(
        lambda mse: mse.cummin().shift(fill_value=np.inf)
    )
    return ordered[ordered["mse"] < best_before]
