"""The tables of README.md as Markdown, made from the committed results."""

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import markdown, summary
from benchmarks.contenders import OURS

ROOT = Path(__file__).parents[1]

PIXELS = 28 * 28
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
    scores, trained = metrics("evaluate"), metrics("train")
    code = trained["code_size"]
    methods = {
        "cae": f"**autoencoder**, {trained['parameters']:,} parameters",
        # The components and the mean.
        "pca": f"PCA, {code} components, {(code + 1) * PIXELS:,} parameters",
        "mean_image": f"mean image, {PIXELS} parameters",
    }
    rows = [
        [name, *(pattern.format(scores[method][key]) for key, (_, pattern) in COLUMNS.items())]
        for method, name in methods.items()
    ]
    floor = ["floor: every pixel right", f"{scores['bce_floor']:.5f}", *["0"] * 3, "∞", "∞", "1"]
    return markdown.table(["test split", *(title for title, _ in COLUMNS.values())], [*rows, floor])


def transfer(probe: str) -> str:
    """Compare the accuracy of a probe on codes, components and pixels, by labels a class."""
    scores, code = metrics("probe")[probe], metrics("train")["code_size"]
    features = {
        "cae": f"**code of the autoencoder**, {code} numbers",
        "pca": f"PCA, {code} components",
        "pixels": f"raw pixels, {PIXELS} numbers",
        "random": f"code of an untrained network, {code} numbers",
    }
    counts = sorted((count for count in scores["cae"] if count != "all"), key=int)
    fewest, *more = (f"{int(count):,}" for count in counts)
    rows = [
        [name, *(f"{scores[key][count]:.3f}" for count in [*counts, "all"])] for key, name in features.items()
    ]
    return markdown.table(["", f"{fewest} labels a class", *more, "all"], rows)


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
