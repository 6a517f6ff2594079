"""Train the main pipeline's network with another seed."""

import argparse

from cae.ground import params
from stages.inputs import Inputs
from studies import pipeline
from studies.seeds import STUDY


def main() -> None:
    """Read data/prepared; write models/SEED.keras and histories/SEED.csv."""
    inputs = Inputs.read("train", STUDY)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="what train.seed shall be")
    seed = parser.parse_args().seed
    pipeline.train(STUDY, str(seed), pipeline.changed(params.load(), {"train.seed": seed}), inputs)
