"""Evaluate and probe a network that was trained with another seed, as the main pipeline does with its own."""

import json
import shutil
import tempfile
from pathlib import Path

from stages.inputs import Inputs

import stages.evaluate
import stages.probe
from cae.core import files, params
from stages import MODELS, PLOTS
from studies import pipeline, read_argument
from studies.seeds import STUDY


def main() -> None:
    """Read models/SEED.keras, histories/SEED.csv and data/; write runs/SEED.json, the metrics by stage."""
    inputs = Inputs.read("measure", STUDY)
    seed = read_argument("seed", int)
    history = STUDY / f"histories/{seed}.csv"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source, place in (
            (STUDY / f"models/{seed}.keras", MODELS / "autoencoder.keras"),
            (history, PLOTS / "history.csv"),
        ):
            (folder / place).parent.mkdir(parents=True)
            shutil.copyfile(source, folder / place)
        pipeline.run([stages.evaluate, stages.probe], folder, params.load(), inputs)
        metrics = {path.stem: json.loads(path.read_text()) for path in (folder / "metrics").glob("*.json")}
    inputs.check()
    files.write_json(STUDY / f"runs/{seed}.json", metrics | {"train": best_epoch(history)})


def best_epoch(path: Path) -> dict[str, float]:
    """Return the best epoch of a history and its losses, as in metrics/train.json of the main pipeline."""
    history = files.read_csv(path, remake=f"cd {STUDY} && dvc repro")
    best = history.iloc[int(history["val_loss"].argmin())]
    return {"best_epoch": int(best["epoch"])} | {name: float(best[name]) for name in ("loss", "val_loss")}
