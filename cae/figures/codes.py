"""Pictures of what codes know: transfer, retrieval and interpolation, in the style of pictures/style.py."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
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

PROBE_NAMES = {"linear": "Linear probe", "knn": "Nearest neighbours"}


@styled
def plot_probe_accuracy(table: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Draw accuracy by labels a class, one panel a probe and one line a kind of features.

    `table` is that of `probes.tabulate_accuracies`; `names` gives the features' names for the legend.
    """
    figure = StyledFigure(figsize=(WIDTH, 4.8))
    panels = figure.subplots(1, 2, sharey=True)
    counts = sorted(table["labels_per_class"].unique(), key=lambda count: (count == ALL, count.zfill(9)))
    places = list(range(len(counts)))
    for axes, (probe, title) in zip(panels, PROBE_NAMES.items(), strict=True):
        of_probe = table[table["probe"] == probe].set_index("labels_per_class")
        for (key, name), (shade, marker) in zip(names.items(), SERIES_STYLES[: len(names)], strict=True):
            line = of_probe[of_probe["features"] == key].loc[counts]
            axes.errorbar(
                places,
                100 * line["mean"],
                100 * line["sd"].fillna(0),
                color=shade,
                marker=marker,
                capsize=3,
                label=name,
            )
        axes.set_title(title)
        axes.set_xlabel("training labels a class")
        axes.set_xmargin(0.05)
        axes.xaxis.set_major_locator(FixedLocator(places))
        axes.xaxis.set_major_formatter(FixedFormatter([grouped(count) for count in counts]))
        axes.xaxis.set_minor_locator(NullLocator())
    panels[0].set_ylabel("test images named right, %")
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=2,
        title="Classes read off test images; bars are standard deviations over draws of the labels",
        alignment="left",
    )
    return figure


def grouped(count: str) -> str:
    """Write a number with thousands apart; "all" stays."""
    return count if count == ALL else f"{int(count):,}"


@styled
def plot_nearest(
    images: Images,
    labels: Labels,
    train: Images,
    train_labels: Labels,
    nearest: Indices,
    class_names: Sequence[str],
) -> Figure:
    """Draw one test image a column and beneath it its nearest training images, the nearest on top.

    `nearest` (N, K) are indices into `train`. A neighbour of another class is named and framed.
    """
    count = nearest.shape[1]
    figure = StyledFigure(figsize=(WIDTH, 0.97 * (count + 1) + 0.6))
    add_title(figure, "The first test image of each class, and the training images whose codes are nearest")
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
    """Draw for each pair of images what the decoder makes of codes between theirs, above a plain fade.

    originals (P, 2, H, W, 1), decoded (P, S, H, W, 1) from the first image's code to the second's, labels
    (P, 2). The fade mixes the two original images: what the code has to do better.
    """
    pairs, steps = decoded.shape[:2]
    figure = StyledFigure(figsize=(WIDTH, 2.05 * pairs + 0.4))
    add_title(figure, "From one test image to another: by mixing their codes, and by mixing their pixels")
    panels = figure.subfigures(pairs, 1, squeeze=False)[:, 0]
    for panel, (first, last), row, (start, end) in zip(panels, originals, decoded, labels, strict=True):
        axes = panel.subplots(2, steps)
        weights = np.linspace(0, 1, steps)[:, None, None, None]
        for images, line in ((row, axes[0]), ((1 - weights) * first + weights * last, axes[1])):
            for place, image in zip(line, images, strict=True):
                show_image(place, image)
        format_image_grid(axes, ("codes", "pixels"))
        axes[0, 0].set_title(class_names[start], fontsize=11, loc="center")
        axes[0, -1].set_title(class_names[end], fontsize=11, loc="center")
    return figure


def find_first_of_each_class(labels: Labels) -> npt.NDArray[np.intp]:
    """Return where each class has its first image, in label order: no one chose it by eye."""
    return np.unique(labels, return_index=True)[1]


def pair_up(indices: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.intp]:
    """Pair up the first 2·`count` indices, or as many as there are: (P, 2)."""
    usable = min(len(indices) // 2, count)
    return indices[: 2 * usable].reshape(usable, 2)
