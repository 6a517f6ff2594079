"""Figures of anomaly detection: the scores of test images, and error maps of some of them."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from cae.core.arrays import Scores
from cae.datasets.intensity import Image
from cae.datasets.masks import Mask
from cae.figures.error_maps import COLOURS
from cae.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    WIDTH,
    StyledFigure,
    add_title,
    escape,
    format_image_grid,
    format_log_axis,
    show_image,
    styled,
)
from cae.metrics.error_maps import ErrorMap


class Example(NamedTuple):
    """A test image and its error map, both in the size of the image."""

    title: str
    image: Image  # (H, W, C)
    error_map: ErrorMap  # (H, W)
    mask: Mask | None
    # Whether the score is above the threshold; None without a threshold.
    alarm: bool | None


@styled
def plot_scores(
    scores: Mapping[str, Scores], threshold: float | None, normal_classes: Collection[str]
) -> Figure:
    """Plot the score of every image, one row per class, and the threshold."""
    figure = StyledFigure(figsize=(WIDTH, 1.6 + 0.55 * len(scores)))
    axes = figure.subplots()
    for row, (name, values) in enumerate(scores.items()):
        # Dots are spread vertically so that equal scores do not hide each other, in the same way every time.
        offsets = 0.6 * (np.arange(len(values)) * 0.618 % 1 - 0.5)
        colour = BLUE if name in normal_classes else ORANGE
        axes.scatter(values, row + offsets, s=14, linewidths=0, alpha=0.6, color=colour)
    if threshold is not None:
        axes.axvline(threshold, color=GREY, linestyle="--", label=f"threshold {threshold:.3g}")
        # Above the axes, where it hides no image.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    logarithmic = min(float(values.min()) for values in scores.values()) > 0
    if logarithmic:
        axes.set_xscale("log")
        format_log_axis(axes.xaxis, (1, 3))
    axes.set_yticks(range(len(scores)), [escape(name) for name in scores])
    axes.invert_yaxis()
    axes.set_title("Scores of test images by the autoencoder (blue: normal, orange: anomalous)")
    axes.set_xlabel(f"anomaly score{' (logarithmic)' if logarithmic else ''}")
    return figure


@styled
def plot_examples(examples: Sequence[Example]) -> Figure:
    """Draw images above their error maps, with the outlines of defects on both."""
    figure = StyledFigure(figsize=(WIDTH, 3.6))
    add_title(figure, "The test image with the median score of each class")
    grid = figure.subplots(2, len(examples), squeeze=False)
    limit = max(float(example.error_map.max()) for example in examples) or 1.0
    for column, example in enumerate(examples):
        grid[0, column].set_title(escape(example.title), fontsize=10, loc="center")
        show_image(grid[0, column], example.image)
        drawn = grid[1, column].imshow(example.error_map, cmap=COLOURS, vmin=0, vmax=limit)
        if example.mask is not None and example.mask.any():
            for axes, colour in ((grid[0, column], ORANGE), (grid[1, column], "white")):
                axes.contour(example.mask, levels=[0.5], colors=colour, linewidths=1)
        if example.alarm is not None:
            grid[1, column].set_xlabel("alarm" if example.alarm else "no alarm", fontsize=10)
    format_image_grid(grid, ("image", "error"))
    bar = figure.colorbar(drawn, ax=grid, shrink=0.9, aspect=30, pad=0.01)
    bar.set_label("absolute error,\ngrey values from 0 to 1", fontsize=11)
    return figure
