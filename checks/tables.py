"""The tables of README.md as Markdown, made from the committed results."""

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import summary
from benchmarks.contenders import OURS
from checks import markdown

ROOT = Path(__file__).parents[1]

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


def benchmark() -> dict[str, Any]:
    """Read the committed results of the benchmark."""
    return json.loads((ROOT / "benchmarks/results.json").read_text())


def speed() -> str:
    """Compare the seconds of an epoch at each batch size, median (least – most), and their ratio to ours."""
    results = benchmark()
    batches, images = results["settings"]["batches"], results["settings"]["epoch_images"]
    cells: dict[str, list[str]] = {}
    for batch in batches:
        rounds = [one for one in results["rounds"] if one["batch"] == batch and one["family"] != "bound"]
        ours = summary.fastest(rounds, batch, OURS)
        for one in rounds:
            row = cells.setdefault(f"**{one['label']}**" if one["family"] == OURS else one["label"], [])
            if ours is None or "problem" in one:
                row += ["–", "–"]
                continue
            seconds = summary.epoch_seconds(one, images)
            ratio = median(one["seconds"]) / median(ours["seconds"])
            row += [f"{median(seconds):.1f} ({min(seconds):.1f} – {max(seconds):.1f})", f"{ratio:.1f}"]
    header = ["seconds an epoch, median (range)", *(t for b in batches for t in (f"batch {b}", "times ours"))]
    return markdown.table(header, [[name, *row] for name, row in cells.items()])


def target() -> str:
    """Compare the time until the stock recipe's validation loss."""
    found = benchmark()["target"]
    rows = []
    for run in found["runs"]:
        reached, curve = summary.target_seconds(run), run["curve"]
        seconds = f"{reached:.0f}" if reached else f"not reached in {curve[-1]['seconds']:.0f}"
        rows.append([f"{run['label']}, batch {run['batch']}", f"{len(curve)}", seconds])
    return markdown.table([f"until validation BCE ≤ {found['loss']}", "epochs", "seconds"], rows)
