"""Tabulate the validation loss that each recipe reached."""

from itertools import product

import pandas as pd
from stages.inputs import Inputs

from cae.core import files
from studies.recipe import STUDY, settings
from studies.recipe.settings import Study


def main() -> None:
    """Read histories/; write metrics/recipe.json and plots/recipe.csv."""
    inputs = Inputs.read("report", STUDY)
    table = tabulate(settings.load())
    # Of each batch size and learning rate, over seeds.
    means = table["val_loss"].groupby(table["recipe"].str.rpartition("-")[0]).mean()

    inputs.check()
    files.write_json(
        STUDY / "metrics/recipe.json", {f"val_loss_{name}": float(loss) for name, loss in means.items()}
    )
    files.write_csv(STUDY / "plots/recipe.csv", table)


def tabulate(study: Study) -> pd.DataFrame:
    """Return a row a training: recipe, batch_size, learning_rate, seed, val_loss of the best epoch."""
    rows = []
    for batch_size, learning_rate, seed in product(study.batch_sizes, study.learning_rates, study.seeds):
        name = f"{batch_size}-{learning_rate}-{seed}"
        history = files.read_csv(STUDY / f"histories/{name}.csv", remake=f"cd {STUDY} && dvc repro")
        rows.append(
            {
                "recipe": name,
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "seed": seed,
                "val_loss": float(history["val_loss"].min()),
            }
        )
    return pd.DataFrame(rows)
