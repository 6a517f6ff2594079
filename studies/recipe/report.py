"""Compare the validation losses of all recipes: batch sizes and learning rates."""

from itertools import product
from typing import Annotated

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from cae.core import files
from cae.core.config import Increasing, Section, Seed
from cae.figures.style import SERIES_STYLES, WIDTH, StyledFigure, add_title, format_log_axis, styled
from cae.networks.settings import BatchSize, Rate
from stages.runner.project import Project, Results


class Settings(Section):
    """The values that are combined."""

    # Each has a line of its own colour in the figure.
    batch_sizes: Annotated[Increasing[BatchSize], Field(max_length=len(SERIES_STYLES))]
    learning_rates: Increasing[Rate]
    seeds: Increasing[Seed]


def report(project: Project, settings: Settings) -> Results:
    """Return the mean loss of every recipe, a table of all runs, and a figure."""
    table = tabulate(project, settings)
    # Over seeds: a recipe is called BATCH_SIZE-LEARNING_RATE-SEED.
    means = table["val_loss"].groupby(table["recipe"].str.rpartition("-")[0]).mean()
    return {
        "metrics/recipe.json": {f"val_loss_{name}": float(loss) for name, loss in means.items()},
        "plots/recipe.csv": table,
        "plots/recipe.png": plot(table),
    }


def tabulate(project: Project, settings: Settings) -> pd.DataFrame:
    """Tabulate all runs: recipe, batch_size, learning_rate, seed, val_loss of the best epoch."""
    rows = []
    for batch_size, learning_rate, seed in product(
        settings.batch_sizes, settings.learning_rates, settings.seeds
    ):
        name = f"{batch_size}-{learning_rate}-{seed}"
        history = files.read_csv(project.path(f"histories/{name}.csv"))
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


@styled
def plot(table: pd.DataFrame) -> Figure:
    """Plot validation loss by learning rate: a line per batch size through means, a marker per seed."""
    figure = StyledFigure(figsize=(WIDTH, 4.2))
    axes = figure.subplots()
    for (batch_size, runs), (colour, marker) in zip(table.groupby("batch_size"), SERIES_STYLES):
        means = runs.groupby("learning_rate")["val_loss"].mean()
        axes.plot(means.index, means, color=colour, label=f"batch size {batch_size}, mean over seeds")
        axes.scatter(runs["learning_rate"], runs["val_loss"], color=colour, marker=marker)
    axes.set_xscale("log")
    format_log_axis(axes.xaxis, (1, 2, 4, 8))
    axes.set_xlabel("learning rate (logarithmic)")
    axes.set_ylabel("validation cross-entropy, nats per pixel")
    axes.legend()
    add_title(figure, "Validation loss by batch size and learning rate; each marker is one seed")
    return figure
