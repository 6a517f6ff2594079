"""Train the main pipeline's network with another seed."""

from stages.inputs import Inputs

from cae.core import params
from studies import pipeline, read_argument
from studies.seeds import STUDY


def main() -> None:
    """Read data/prepared; write models/SEED.keras and histories/SEED.csv."""
    inputs = Inputs.read("train", STUDY)
    seed = read_argument("seed", int)
    pipeline.train(STUDY, str(seed), pipeline.changed(params.load(), {"train.seed": seed}), inputs)
