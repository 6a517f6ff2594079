"""Find the batch size and learning rate with the lowest validation loss.

`python -m studies.recipe.run` trains the autoencoder once for every line of GRID, on data/prepared, and
writes results.csv beside this file: about 35 minutes on two cores. The test split is not opened.
"""

import itertools
from contextlib import closing
from pathlib import Path

import pandas as pd

from cae.engine import tasks, training
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, fingerprints, params, splits
from cae.networks import convolutional
from stages import PREPARED
from stages.inputs import Inputs
from stages.train import Bar

RESULTS = Path(__file__).with_name("results.csv")
GRID = [
    {"epochs": 50, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    for batch_size, learning_rate, seed in itertools.product((16, 32, 64), (0.002, 0.004, 0.008), (1, 2))
]


def main() -> None:
    """Train with one recipe after the other and write what each reached."""
    inputs = Inputs.read("train")
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    settings = params.load()
    rows: list[dict[str, float]] = []
    for changes in GRID:
        recipe = params.run(settings).model_copy(update=changes)
        run = fingerprints.fingerprint({"inputs": inputs.parts, "recipe": recipe.model_dump()})
        checkpoint = Checkpoint(Path(".checkpoints/recipe"), run)
        network = convolutional.build(
            settings.model.convolutional.filters, train.shape[1:], recipe.seed
        ).network
        with checkpoint.locked(), closing(Bar(recipe.epochs)) as bar:
            history = training.fit(
                tasks.reconstruction(network), train, validation, recipe, checkpoint, [bar]
            )
            inputs.check()
            rows.append({**changes, "val_loss": float(history["val_loss"].min())})
            artifacts.write_csv(RESULTS, pd.DataFrame(rows))
            # Kept until the last: a killed study goes on with the recipe that it was at.
            if changes is GRID[-1]:
                checkpoint.clear()
