"""Evaluate and probe a network that was trained with another seed, as the main pipeline does with its own."""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import stages.evaluate
import stages.probe
from cae.ground import artifacts, params
from stages import MODELS, PLOTS
from stages.inputs import Inputs
from studies import pipeline
from studies.seeds import STUDY


def main() -> None:
    """Read models/SEED.keras, histories/SEED.csv and data/; write runs/SEED.json, the metrics by stage."""
    inputs = Inputs.read("measure", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="what train.seed was")
    seed = parser.parse_args().seed
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
    artifacts.write_json(STUDY / f"runs/{seed}.json", metrics | {"train": best_epoch(history)})


def best_epoch(path: Path) -> dict[str, float]:
    """Return what metrics/train.json of the main pipeline has: the best epoch of a history, and its losses."""
    history = artifacts.read_csv(path, remake=f"cd {STUDY} && dvc repro")
    best = history.loc[history["val_loss"].idxmin()]
    return {"best_epoch": int(best["epoch"]), "loss": float(best["loss"]), "val_loss": float(best["val_loss"])}
