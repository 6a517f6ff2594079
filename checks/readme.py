"""The tables of README.md, made from the committed metrics: `python -m checks.readme` writes them anew.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from checks import markdown

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

METHODS = {
    "cae": "**autoencoder**, 12,785 parameters",
    "pca": "PCA, 128 components, 101,136 parameters",
    "mean_image": "mean image, 784 parameters",
}
COLUMNS = {
    "bce": ("BCE", "{:.5f}"),
    "bce_excess": ("BCE above the floor", "{:.5f}"),
    "mse": ("MSE", "{:.5f}"),
    "mae": ("MAE", "{:.4f}"),
    "psnr": ("PSNR, dB", "{:.2f}"),
    "psnr_of_mean_mse": ("PSNR of mean MSE, dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.3f}"),
}


def metrics(name: str) -> dict[str, Any]:
    """Read a committed metrics file."""
    return json.loads((ROOT / "metrics" / f"{name}.json").read_text())


def results() -> str:
    """Compare the reconstructions of the test split with their floor and the baselines."""
    scores = metrics("evaluate")
    rows = [
        [name, *(pattern.format(scores[method][key]) for key, (_, pattern) in COLUMNS.items())]
        for method, name in METHODS.items()
    ]
    floor = ["floor: every pixel right", f"{scores['bce_floor']:.5f}", *["0"] * 3, "∞", "∞", "1"]
    return markdown.table(["test split", *(title for title, _ in COLUMNS.values())], [*rows, floor])


FEATURES = {
    "cae": "**code of the autoencoder**, 128 numbers",
    "pca": "PCA, 128 components",
    "pixels": "raw pixels, 784 numbers",
    "random": "code of an untrained network, 128 numbers",
}
LABELS = {"10": "10 labels a class", "100": "100", "1000": "1,000", "all": "all"}


def transfer(probe: str) -> str:
    """Compare the accuracy of a probe on codes, components and pixels, by labels a class."""
    scores = metrics("probe")[probe]
    rows = [[name, *(f"{scores[key][count]:.3f}" for count in LABELS)] for key, name in FEATURES.items()]
    return markdown.table(["", *LABELS.values()], rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "results": results,
    "linear probe": partial(transfer, "linear"),
    "nearest neighbours": partial(transfer, "knn"),
}


def filled(text: str) -> str:
    """Return README's text with every table made anew; ValueError where a table's place is missing."""
    for name, made in TABLES.items():
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not (opening and closing):
            raise ValueError(f"README.md has no place for the table {name}")
        text = f"{before}{opening}{made()}\n{closing}{after}"
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
