"""Accuracy by the cost of training, and embeddings of two codes."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from cae.core.arrays import Labels
from cae.figures.embeddings import get_class_colour, label_classes
from cae.figures.style import BLUE, GREY, ORANGE, WIDTH, StyledFigure, add_title, format_log_axis, styled
from cae.metrics.embeddings import Embedding

PANELS = {"linear_all": "all labels", "linear_10": "10 labels per class"}


@styled
def plot_cost(table: pd.DataFrame) -> Figure:
    """Plot the accuracy of linear probes by what training costs, a panel for each number of labels.

    `table` has the columns task, multiplications, linear_all and linear_10.
    """
    figure = StyledFigure(figsize=(WIDTH, 4.4))
    cost = table["multiplications"] / 1e12
    for axes, (column, title) in zip(figure.subplots(1, 2), PANELS.items(), strict=True):
        accuracy = 100 * table[column]
        is_best = table["task"] == "prototypes"
        axes.plot(*zip(*sorted(zip(cost[is_best], accuracy[is_best])), strict=True), "o-", color=BLUE)
        axes.plot(cost[~is_best], accuracy[~is_best], "s", color=ORANGE)
        # The three trainings on prototypes are one line, which is named once, at its end.
        shorter = table["name"].isin(["prototypes_3", "prototypes_8"])
        for task, x, y in zip(table["task"][~shorter], cost[~shorter], accuracy[~shorter], strict=True):
            axes.annotate(
                task,
                (x, y),
                (0, -17 if task in ("contrastive", "words") else 7),
                textcoords="offset points",
                ha="center",
                color=GREY,
            )
        axes.set_xscale("log")
        format_log_axis(axes.xaxis, (1, 2, 5))
        axes.margins(x=0.2, y=0.15)
        axes.set_title(title)
        axes.set_xlabel("multiplications of the encoder in training, 10¹²")
        axes.set_ylabel("accuracy of the linear probe, %")
    add_title(figure, "Accuracy of codes by what training costs")
    return figure


@styled
def plot_embeddings(drawn: Mapping[str, Embedding], labels: Labels, class_names: Sequence[str]) -> Figure:
    """Plot the t-SNE embeddings of several codes of the same images side by side."""
    figure = StyledFigure(figsize=(WIDTH, 5.6))
    panels = figure.subplots(1, len(drawn))
    for axes, (name, embedding) in zip(panels, drawn.items(), strict=True):
        points = embedding.points
        axes.scatter(*points.T, c=[get_class_colour(int(label)) for label in labels], s=6, linewidths=0)
        label_classes(axes, points, labels, class_names)
        axes.set_title(f"{name}\nk-NN accuracy {embedding.accuracy:.1%} in the plane", fontsize=12)
        axes.set(xticks=[], yticks=[], box_aspect=1)
        axes.spines[:].set(visible=True, color="#CCCCCC")
    add_title(figure, f"t-SNE of the codes of {len(labels):,} test images")
    return figure
