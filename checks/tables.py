"""The tables of README.md, MODEL_CARD.md and benchmarks/README.md, made from the committed results."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from benchmarks import report

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
PERFECT = {"bce_above_floor": "0", "mse": "0", "mae": "0", "psnr": "∞", "psnr_of_mean_mse": "∞", "ssim": "1"}
METHODS = {
    "autoencoder": "**autoencoder**, {parameters:,.0f} parameters",
    "PCA": "PCA, {code_size:.0f} components, {parameters:,.0f} parameters",
    "mean image": "mean image, {parameters:,.0f} parameters",
}
FEATURES = {
    "code": "**code of the autoencoder**, {code_size:.0f} numbers",
    "PCA": "PCA, {code_size:.0f} components",
    "pixels": "raw pixels, {pixels:.0f} numbers",
    "untrained": "code of an untrained network, {code_size:.0f} numbers",
}


def read(name: str) -> pd.DataFrame:
    """Read a committed table of plots/."""
    return pd.read_csv(ROOT / "plots" / f"{name}.csv")


def tabulate_results() -> pd.DataFrame:
    """Compare the reconstructions of the test split with the baselines and with the best that is possible."""
    *methods, floor = read("reconstruction").to_dict("records")
    rows = [
        {"test split": METHODS[scores["method"]].format(**{str(key): value for key, value in scores.items()})}
        | {title: pattern.format(scores[key]) for key, (title, pattern) in COLUMNS.items()}
        for scores in methods
    ]
    best = PERFECT | {"bce": COLUMNS["bce"][1].format(floor["bce"])}
    rows.append(
        {"test split": "floor: perfect reconstruction"}
        | {title: best[key] for key, (title, _) in COLUMNS.items()}
    )
    return pd.DataFrame(rows)


def tabulate_probe(probe: str) -> pd.DataFrame:
    """Compare the accuracy of a probe on codes, components and pixels, by labels per class."""
    scores = read("probes")
    reconstruction = read("reconstruction").set_index("method")
    sizes = {
        "code_size": reconstruction["code_size"]["autoencoder"],
        "pixels": reconstruction["parameters"]["mean image"],
    }
    names = [name.format(**sizes) for name in FEATURES.values()]
    columns: dict[str, list[str]] = {"accuracy, by labels per class": names}
    for row in scores.to_dict("records"):
        count = row["labels_per_class"]
        accuracies = [f"{row[f'{probe} {features}']:.3f}" for features in FEATURES]
        columns[count if count == "all" else f"{int(count):,}"] = accuracies
    return pd.DataFrame(columns)


def read_benchmark(folder: str = "benchmarks") -> dict[str, Any]:
    """Read the committed results of a benchmark."""
    results: dict[str, Any] = json.loads((ROOT / folder / "results.json").read_text())
    return results


def tabulate_speed() -> pd.DataFrame:
    """Compare the seconds of an epoch of the default network."""
    return report.summarise_epochs(read_benchmark())


def tabulate_residual_speed() -> pd.DataFrame:
    """Compare the seconds of an epoch of the residual network."""
    return report.summarise_epochs(read_benchmark("benchmarks/residual"))


def tabulate_target() -> pd.DataFrame:
    """Compare the epochs and seconds until the target's validation loss."""
    table = report.tabulate_target(read_benchmark())
    return table[[table.columns[0], "epochs", "seconds"]]


def tabulate_facts() -> pd.DataFrame:
    """List what a model card says about the network and its training, from the committed run."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]["train"]["outs"]
    trained = json.loads((ROOT / "metrics/train.json").read_text())
    autoencoder = read("reconstruction").set_index("method").loc["autoencoder"]
    network, split = params["model"]["convolutional"], params["split"]
    splits = " / ".join(f"{split[name]:,}" for name in ("train", "validation", "test"))
    facts = {
        "parameters": f"{autoencoder['parameters']:,.0f}",
        "numbers per code": f"{autoencoder['code_size']:.0f}",
        "filters of the encoder": " → ".join(map(str, network["filters"])),
        "training, validation, test images": splits,
        "optimiser": f"Adam, {network['learning_rate']:g} falling to 0 along half a cosine",
        "batch size": f"{network['batch_size']}",
        "best epoch": f"{trained['best_epoch']} of {params['train']['epochs']}",
        "validation loss, nats per pixel": f"{trained['val_loss']:.5f}",
    }
    models = {output["path"]: output["md5"] for output in lock if "models" in output["path"]}
    facts |= {f"MD5 of `{path}`": f"`{models[path]}`" for path in sorted(models)}
    return pd.DataFrame(facts.items(), columns=["fact", "value"])
