"""The figure of all methods and of published results."""

import pandas as pd
from matplotlib.figure import Figure

from cae.figures.style import BLUE, GREY, ORANGE, WIDTH, StyledFigure, styled
from studies.anomaly.methods import TITLES

# The style of each transform of the images, and what the legend says.
TRANSFORMS = {"roots": (BLUE, "o", "square roots of grey values"), "pixels": (ORANGE, "s", "grey values")}


@styled
def plot_methods(table: pd.DataFrame) -> Figure:
    """Plot the mean AUROC of every method and its standard deviation over the classes, in per cent.

    `table` has the columns of plots/table.csv: method, transform, auroc, auroc_sd; published rows have no
    transform.
    """
    published = table[table["transform"].isna()]
    best = table[table["transform"].notna()].groupby("method")["auroc"].max().sort_values(ascending=False)
    rows = {method: row for row, method in enumerate([*best.index, *published["method"]])}
    figure = StyledFigure(figsize=(WIDTH, 1.6 + 0.36 * len(rows)))
    axes = figure.subplots()
    series = [(*look, table[table["transform"] == name]) for name, look in TRANSFORMS.items()]
    for offset, (colour, marker, label, part) in zip(
        (-0.12, 0.12, 0), [*series, (GREY, "^", "published", published)], strict=True
    ):
        places = [rows[method] + offset for method in part["method"]]
        axes.errorbar(
            part["auroc"],
            places,
            xerr=part["auroc_sd"],
            fmt=marker,
            color=colour,
            elinewidth=1.2,
            label=label,
        )
    axes.set_yticks(range(len(rows)), [TITLES.get(method, method) for method in rows])
    axes.invert_yaxis()
    axes.set_xlabel("mean AUROC ± standard deviation over the ten classes, %")
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=3,
        title="One class against nine (by chance 50 %)",
        alignment="left",
    )
    return figure
