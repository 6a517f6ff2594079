"""Train the default network with one batch size, learning rate and seed."""

from typing import Any

from stages.inputs import Inputs

from cae.core import params
from studies import pipeline, read_argument
from studies.recipe import STUDY, settings


def main() -> None:
    """Read data/prepared; write models/RECIPE.keras and histories/RECIPE.csv."""
    inputs = Inputs.read("train", STUDY)
    recipe = read_argument("recipe", str)
    chosen = pipeline.changed(params.load(), changes(recipe, settings.load().epochs))
    pipeline.train(STUDY, recipe, chosen, inputs)


def changes(recipe: str, epochs: int) -> dict[str, Any]:
    """Return what differs from the root's params.yaml for BATCH_SIZE-LEARNING_RATE-SEED."""
    batch_size, learning_rate, seed = recipe.split("-")
    return {
        "model.name": "convolutional",
        "model.convolutional.batch_size": int(batch_size),
        "model.convolutional.learning_rate": float(learning_rate),
        "train.seed": int(seed),
        "train.epochs": epochs,
        # The learning rate falls to its end in every one.
        "train.patience": epochs,
    }
