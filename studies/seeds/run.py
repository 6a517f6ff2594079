"""Run the main pipeline with another seed."""

import argparse
import shutil
from pathlib import Path

from cae.ground import artifacts, params
from stages import command
from stages.inputs import Inputs
from studies import pipeline
from studies.seeds import STUDY


def main() -> None:
    """Read data/, write studies/seeds/runs/SEED.json, the metrics of a run with that seed."""
    inputs = Inputs.read("run", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="what train.seed shall be")
    seed = parser.parse_args().seed
    # Kept until the run is whole: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/seeds/{seed}")
    metrics = pipeline.run(folder, pipeline.changed(params.load(), {"train.seed": seed}))
    inputs.check()
    artifacts.write_json(STUDY / f"runs/{seed}.json", metrics)
    shutil.rmtree(folder)


if __name__ == "__main__":
    command.run(main)
