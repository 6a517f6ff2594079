"""The tables of README.md as Markdown, made from the committed results."""

import json
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import yaml

from benchmarks import markdown, summary
from benchmarks.contenders import FAMILIES, OURS, RESIDUAL
from cae.core import params

ROOT = Path(__file__).parents[1]

COLUMNS = {
    "bce": ("BCE", "{:.5f}"),
    "bce_above_floor": ("BCE above the floor", "{:.5f}"),
    "mse": ("MSE", "{:.5f}"),
    "mae": ("MAE", "{:.4f}"),
    "psnr": ("PSNR, dB", "{:.2f}"),
    "psnr_of_mean_mse": ("PSNR of mean MSE, dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.3f}"),
}
SPLITS = ("train", "validation", "test")
PERFECT = {"bce_above_floor": "0", "mse": "0", "mae": "0", "psnr": "∞", "psnr_of_mean_mse": "∞", "ssim": "1"}
NAMES = {
    "autoencoder": "**autoencoder**, {parameters:,} parameters",
    "PCA": "PCA, {code_size} components, {parameters:,} parameters",
    "mean image": "mean image, {parameters:,} parameters",
}
FEATURES = {
    "code": "**code of the autoencoder**, {code_size} numbers",
    "PCA": "PCA, 128 components",
    "pixels": "raw pixels, {pixels} numbers",
    "untrained": "code of an untrained network, 128 numbers",
}


def table(name: str) -> pd.DataFrame:
    """Read a committed table of plots/."""
    return pd.read_csv(ROOT / "plots" / f"{name}.csv")


def results() -> str:
    """Compare the reconstructions of the test split with their floor and the baselines."""
    *methods, floor = table("reconstruction").to_dict("records")
    rows = [
        [
            NAMES[scores["method"]].format(**{key: int(scores[key]) for key in ("code_size", "parameters")}),
            *(pattern.format(scores[key]) for key, (_, pattern) in COLUMNS.items()),
        ]
        for scores in methods
    ]
    perfect = PERFECT | {"bce": COLUMNS["bce"][1].format(floor["bce"])}
    rows.append(["floor: every pixel right", *(perfect[key] for key in COLUMNS)])
    return markdown.table(["test split", *(title for title, _ in COLUMNS.values())], rows)


def transfer(probe: str) -> str:
    """Compare the accuracy of a probe on codes, components and pixels, by labels a class."""
    scores = table("probes")
    autoencoder, _, mean_image, _ = table("reconstruction").to_dict("records")
    numbers = {"code_size": int(autoencoder["code_size"]), "pixels": int(mean_image["parameters"])}
    fewest, *more = (count if count == "all" else f"{int(count):,}" for count in scores["labels_per_class"])
    rows = [
        [name.format(**numbers), *(f"{accuracy:.3f}" for accuracy in scores[f"{probe} {features}"])]
        for features, name in FEATURES.items()
    ]
    return markdown.table(["", f"{fewest} labels a class", *more], rows)


def benchmark(folder: str = "benchmarks") -> dict[str, Any]:
    """Read the committed results of a benchmark."""
    return json.loads((ROOT / folder / "results.json").read_text())


def speed() -> str:
    """Compare the seconds of an epoch at each batch size, median (least – most), and their ratio to ours."""
    results = benchmark()
    batches = results["settings"]["batches"]
    cells: dict[str, list[str]] = {}
    for batch in batches:
        for name, row in epochs(results, batch).items():
            cells.setdefault(name, []).extend(row)
    header = ["seconds an epoch, median (range)", *(t for b in batches for t in (f"batch {b}", "times ours"))]
    return markdown.table(header, [[name, *row] for name, row in cells.items()])


def residual() -> str:
    """Compare the seconds of an epoch of the residual network, then of its products alone and the bound."""
    results = benchmark("benchmarks/residual")[RESIDUAL]
    (batch,) = results["settings"]["batches"]
    rows = [[name, *row] for name, row in epochs(results, batch, decimals=2).items()]
    ours, bound = summary.fastest(results["rounds"], batch, OURS), summary.bound(results, batch)
    if ours:
        middle = median(summary.epoch_seconds(ours, results["settings"]["epoch_images"]))
        if alone := summary.products(results, batch):
            ratio = f"{median(alone) / middle:.2f}"
            rows.append(["matrix products alone, by NumPy", middle_and_range(alone), ratio])
        rows.append(["arithmetic bound", f"{bound:.1f}", f"{bound / middle:.2f}"])
    return markdown.table(
        ["residual network, seconds an epoch, median (range)", f"batch {batch}", "times ours"], rows
    )


def epochs(results: dict[str, Any], batch: int, decimals: int = 1) -> dict[str, list[str]]:
    """Give every contender's seconds of an epoch, median (least – most), and their ratio to ours."""
    images, ours = results["settings"]["epoch_images"], summary.fastest(results["rounds"], batch, OURS)
    cells = {}
    for timing in results["rounds"]:
        if timing["batch"] != batch or timing["family"] not in FAMILIES:
            continue
        name = f"**{timing['label']}**" if timing["family"] == OURS else timing["label"]
        if ours is None or "problem" in timing:
            cells[name] = ["–", "–"]
            continue
        seconds = summary.epoch_seconds(timing, images)
        ratio = median(timing["seconds"]) / median(ours["seconds"])
        cells[name] = [
            middle_and_range(seconds),
            f"{ratio:.{decimals}f}",
        ]
    return cells


def middle_and_range(seconds: list[float]) -> str:
    """Write the median of some rounds, and the least and the most."""
    return f"{median(seconds):.1f} ({min(seconds):.1f} – {max(seconds):.1f})"


def target() -> str:
    """Compare the time until the stock recipe's validation loss."""
    race = benchmark()["target"]
    rows = []
    for run in race["runs"]:
        reached, curve = summary.target_seconds(run), run["curve"]
        seconds = f"{reached:.0f}" if reached else f"not reached in {curve[-1]['seconds']:.0f}"
        rows.append([f"{run['label']}, batch {run['batch']}", f"{len(curve)}", seconds])
    return markdown.table([f"until validation BCE ≤ {race['loss']}", "epochs", "seconds"], rows)


def facts() -> str:
    """List what a model card has to say of the network and its training, from the committed run."""
    settings = params.load(ROOT / "params.yaml")
    training = params.run(settings.train, settings.model.chosen)
    splits = settings.prepare.model_dump()
    trained = json.loads((ROOT / "metrics/train.json").read_text())
    autoencoder, *_ = table("reconstruction").to_dict("records")
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]["train"]["outs"]
    checksums = {output["path"]: output["md5"] for output in lock}
    rows = [
        ["parameters", f"{int(autoencoder['parameters']):,}"],
        ["numbers in the code of an image", f"{int(autoencoder['code_size'])}"],
        ["filters of the encoder", " → ".join(map(str, settings.model.convolutional.filters))],
        ["training, validation, test images", " / ".join(f"{splits[name]:,}" for name in SPLITS)],
        ["optimiser", f"Adam, {training.learning_rate:g} falling to 0 along half a cosine"],
        ["batch size", f"{training.batch_size}"],
        ["best of so many epochs", f"{trained['best_epoch']} of {training.epochs}"],
        ["validation loss, nats a pixel", f"{trained['val_loss']:.5f}"],
        *([f"MD5 of `{name}`", f"`{checksums[name]}`"] for name in sorted(checksums) if "models" in name),
    ]
    return markdown.table(["fact", "value"], rows)
