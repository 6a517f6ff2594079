"""Figures of codes: accuracy of probes, nearest images, and images between two others."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from cae.core.arrays import Images, Indices, Labels
from cae.figures.style import (
    ORANGE,
    SERIES_STYLES,
    WIDTH,
    StyledFigure,
    add_title,
    format_image_grid,
    show_image,
    styled,
)
from cae.metrics.probes import ALL

PROBE_NAMES = {"linear": "Linear probe", "knn": "k-nearest neighbours"}


@styled
def plot_probe_accuracy(table: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Plot accuracy by labels per class, a panel for each probe and a line for each kind of features.

    `table` is that of `probes.tabulate_accuracies`; `names` gives the features' names for the legend.
    """
    figure = StyledFigure(figsize=(WIDTH, 4.8))
    panels = figure.subplots(1, 2, sharey=True)
    counts = sorted(table["labels_per_class"].unique(), key=lambda count: (count == ALL, count.zfill(9)))
    positions = list(range(len(counts)))
    for axes, (probe, title) in zip(panels, PROBE_NAMES.items(), strict=True):
        probe_rows = table[table["probe"] == probe].set_index("labels_per_class")
        for (features, name), (colour, marker) in zip(
            names.items(), SERIES_STYLES[: len(names)], strict=True
        ):
            line = probe_rows[probe_rows["features"] == features].loc[counts]
            axes.errorbar(
                positions,
                100 * line["mean"],
                100 * line["sd"].fillna(0),
                color=colour,
                marker=marker,
                capsize=3,
                label=name,
            )
        axes.set_title(title)
        axes.set_xlabel("training labels per class (not to scale)")
        axes.set_xmargin(0.05)
        axes.xaxis.set_major_locator(FixedLocator(positions))
        texts = [count if count == ALL else f"{int(count):,}" for count in counts]
        axes.xaxis.set_major_formatter(FixedFormatter(texts))
        axes.xaxis.set_minor_locator(NullLocator())
    panels[0].set_ylabel("accuracy on test images, %")
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=2,
        title="Accuracy of probes; bars are standard deviations over random samples of the labels",
        alignment="left",
    )
    return figure


@styled
def plot_nearest(
    images: Images,
    labels: Labels,
    train: Images,
    train_labels: Labels,
    nearest: Indices,
    class_names: Sequence[str],
) -> Figure:
    """Show test images, a column each, above their nearest training images, the nearest first.

    `nearest` (N, K) are indices into `train`. Neighbours of another class have a frame and their class name.
    """
    count = nearest.shape[1]
    figure = StyledFigure(figsize=(WIDTH, 0.97 * (count + 1) + 0.6))
    add_title(figure, "Test images and the training images with the nearest codes (orange: another class)")
    axes = figure.subplots(count + 1, len(images), squeeze=False)
    format_image_grid(axes, ("test image", *(f"nearest {rank}" for rank in range(1, count + 1))))
    for column, label in enumerate(labels):
        axes[0, column].set_title(class_names[label], fontsize=10, loc="center")
        show_image(axes[0, column], images[column])
        for row, index in enumerate(nearest[column], start=1):
            show_image(axes[row, column], train[index])
            if train_labels[index] != label:
                axes[row, column].text(
                    0.5,
                    0.03,
                    class_names[train_labels[index]],
                    transform=axes[row, column].transAxes,
                    ha="center",
                    fontsize=10,
                    color="white",
                    bbox={"facecolor": ORANGE, "linewidth": 0, "pad": 2},
                )
                axes[row, column].spines[:].set(visible=True, color=ORANGE, linewidth=3)
    return figure


@styled
def plot_interpolation(
    originals: Images, decoded: Images, labels: Labels, class_names: Sequence[str]
) -> Figure:
    """Show for pairs of images what the decoder gives for codes between theirs, above a cross-fade.

    originals (P, 2, H, W, C), decoded (P, S, H, W, C) from the first image's code to the second's, labels
    (P, 2). The cross-fade mixes the pixels of the two originals: the baseline.
    """
    pairs, steps = decoded.shape[:2]
    figure = StyledFigure(figsize=(WIDTH, 2.05 * pairs + 0.4))
    add_title(figure, "From one test image to another: decoded mixtures of their codes, and of their pixels")
    panels = figure.subfigures(pairs, 1, squeeze=False)[:, 0]
    for panel, (first, last), row, (start, end) in zip(panels, originals, decoded, labels, strict=True):
        axes = panel.subplots(2, steps)
        weights = np.linspace(0, 1, steps)[:, None, None, None]
        for images, line in ((row, axes[0]), ((1 - weights) * first + weights * last, axes[1])):
            for cell, image in zip(line, images, strict=True):
                show_image(cell, image)
        format_image_grid(axes, ("codes", "pixels"))
        axes[0, 0].set_title(class_names[start], fontsize=11, loc="center")
        axes[0, -1].set_title(class_names[end], fontsize=11, loc="center")
    return figure


def find_first_of_each_class(labels: Labels) -> Indices:
    """Return the index of the first image of each class, in the order of the labels."""
    return np.unique(labels, return_index=True)[1]


def pair_up(indices: Indices, count: int) -> Indices:
    """Make at most `count` pairs (P, 2) of the first indices."""
    usable = min(len(indices) // 2, count)
    return indices[: 2 * usable].reshape(usable, 2)
