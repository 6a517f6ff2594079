"""Set the residual network, PCA and published figures side by side: error by numbers and by bits."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from stages.inputs import Inputs

from cae.core import files
from studies.rate import STUDY, pictures, settings

METHODS = ("residual", "PCA")
COLUMNS = ("mse", "ssim", "bce", "linear_all")


def main() -> None:
    """Read runs/ and published.csv; write metrics/rate.json and plots/."""
    inputs = Inputs.read("report", STUDY)
    sizes = settings.load().code_sizes
    runs = {size: json.loads((STUDY / f"runs/{size}.json").read_text()) for size in sizes}
    published = files.read_csv(STUDY / "published.csv", remake="git checkout studies")
    rate, bits = by_numbers(runs), by_bits(runs)

    inputs.check()
    of_network = rate[rate["method"] == "residual"]
    files.write_json(
        STUDY / "metrics/rate.json",
        {
            f"mse_{size}": float(mse)
            for size, mse in zip(of_network["numbers"], of_network["mse"], strict=True)
        },
    )
    files.write_csv(STUDY / "plots/rate.csv", rate)
    files.write_csv(STUDY / "plots/bits.csv", bits)
    files.write_figure(STUDY / "plots/curves/rate.png", pictures.rate(rate, published))
    files.write_figure(STUDY / "plots/curves/bits.png", pictures.bits(lowest(bits), published))


def by_numbers(runs: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """Tabulate what whole codes give: method, numbers, mse, ssim, bce, linear_all."""
    return pd.DataFrame(
        {"method": method, "numbers": size, **{name: run[method][name] for name in COLUMNS}}
        for method in METHODS
        for size, run in runs.items()
    )


def by_bits(runs: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """Tabulate what rounded codes give: method, numbers, bits of each, bits of all of them, mse."""
    return pd.DataFrame(
        {"method": method, "numbers": size, "bits_each": int(each), "bits": size * int(each), "mse": mse}
        for method in METHODS
        for size, run in runs.items()
        for each, mse in run[method]["mse_by_bits"].items()
    )


def lowest(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that are better than every other row of their method with as few bits or fewer."""
    ordered = table.sort_values(["bits", "mse"])
    best_before = ordered.groupby("method")["mse"].transform(
        lambda mse: mse.cummin().shift(fill_value=np.inf)
    )
    return ordered[ordered["mse"] < best_before]
