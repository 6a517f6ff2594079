"""Every metric of every seed, each on its own axis."""

import math

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cae.figures.style import BLUE, ORANGE, WIDTH, StyledFigure, styled

COLUMNS = 3
UNITS = {
    "bce": "nats per pixel",
    "bce_above_floor": "nats per pixel",
    "loss": "nats per pixel",
    "val_loss": "nats per pixel",
    "psnr": "dB",
    "best_epoch": "epochs",
}


@styled
def plot_metrics(values: pd.DataFrame, main_seed: int) -> Figure:
    """Plot a panel per metric, with a marker per seed; `values` has a row per metric, a column per seed."""
    rows = math.ceil(len(values) / COLUMNS)
    figure = StyledFigure(figsize=(WIDTH, 0.95 * rows + 0.7))
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
    main = values.columns == main_seed
    for axes, (metric, of_seeds) in zip(panels, values.iterrows()):
        for chosen, colour, label in (
            (~main, BLUE, "other seeds"),
            (main, ORANGE, f"seed {main_seed}, the main pipeline's run"),
        ):
            axes.plot(of_seeds[chosen], [0] * chosen.sum(), "o", color=colour, label=label)
        unit = UNITS.get(str(metric))
        axes.set_title(f"{metric}, {unit}" if unit else str(metric), fontsize=11)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=unit == "epochs"))
        axes.tick_params(labelsize=10)
        axes.margins(x=0.08)
    for axes in panels:
        axes.set_visible(False)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=2,
        title="Every metric of every seed; each has its own axis, which does not begin at 0",
        alignment="left",
    )
    return figure
