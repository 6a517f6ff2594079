"""Find the batch size and learning rate with the lowest validation loss after a given number of epochs.

`python -m studies.recipe.run` trains the autoencoder once for every line of GRID, on data/prepared, and
writes results.csv beside this file. The test split is not opened.
"""

import itertools
from pathlib import Path

import pandas as pd

from cae import artifacts, checkpoints, models, params, splits, training
from stages import command, progress

PREPARED = Path("data/prepared")
RESULTS = Path(__file__).with_name("results.csv")
# Short runs sort the grid; long runs compare what came out best.
GRID = [
    *(
        (6, batch_size, rate)
        for batch_size, rate in itertools.product((16, 32, 64), (0.001, 0.002, 0.004, 0.008))
    ),
]


def main() -> None:
    """Run what results.csv does not have yet, one line of the grid after the other."""
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    standard = params.load().train
    rows = pd.read_csv(RESULTS).to_dict("records") if RESULTS.exists() else []
    known = {(row["epochs"], row["batch_size"], row["learning_rate"]) for row in rows}
    for epochs, batch_size, learning_rate in (line for line in GRID if line not in known):
        changes = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
        recipe = standard.model_copy(update=changes)
        checkpoint = checkpoints.Checkpoint(
            Path(".checkpoints/recipe"), f"{epochs}-{batch_size}-{learning_rate}"
        )
        network = models.autoencoder(recipe.seed)
        history = training.fit(network, train, validation, recipe, checkpoint, [progress.Bar(epochs)])
        rows.append({**changes, "val_loss": float(history["val_loss"].min())})
        artifacts.write_csv(RESULTS, pd.DataFrame(rows))
        checkpoint.clear()
        print(rows[-1], flush=True)


if __name__ == "__main__":
    command.run(main)
