"""Pictures of pictures, grey or in colour, of any size: functions that return a matplotlib Figure."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cae.core import words
from cae.core.arrays import Images, Scores
from cae.datasets.masks import Mask
from cae.figures.embeddings import get_class_colour, label_classes
from cae.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    WIDTH,
    StyledFigure,
    add_title,
    format_image_grid,
    format_log_axis,
    styled,
)
from cae.metrics.error_maps import ErrorMap, compute_error_map

COLUMNS = 8
ERRORS = "magma"


class Example(NamedTuple):
    """A test picture and where its reconstruction is wrong."""

    title: str
    image: Images  # (H, W, C)
    errors: ErrorMap  # (H, W), how wrong each pixel is
    mask: Mask | None
    alarm: bool | None


def literal(name: str) -> str:
    """Write a name so that matplotlib sets no formula in it."""
    return name.replace("$", r"\$")


def shown(axes: Axes, image: Images) -> None:
    """Show one image (H, W, C): grey from black for 0 to white for 1, or in its colours."""
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
    else:
        axes.imshow(image)


@styled
def reconstructions(originals: Images, reconstructed: Images, errors: Scores) -> Figure:
    """Draw original, reconstruction and error of pictures, (N, H, W, C) twice and (N,), in their order."""
    differences = [np.sqrt(compute_error_map(*pair)) for pair in zip(originals, reconstructed)]
    figure = StyledFigure(figsize=(WIDTH, 4.2))
    add_title(figure, "Normal test pictures, from the least squared error to the greatest, evenly by rank")
    grid = figure.subplots(3, len(originals), squeeze=False)
    limit = max(float(difference.max()) for difference in differences) or 1.0
    for column, difference in enumerate(differences):
        shown(grid[0, column], originals[column])
        shown(grid[1, column], reconstructed[column])
        drawn = grid[2, column].imshow(difference, cmap=ERRORS, vmin=0, vmax=limit)
        grid[2, column].set_xlabel(f"MSE\n{errors[column]:.4f}", fontsize=10)
    format_image_grid(grid, ("original", "reconstruction", "error"))
    bar = figure.colorbar(drawn, ax=grid, shrink=0.9, aspect=30, pad=0.01)
    bar.set_label("absolute error,\ngrey value from 0 to 1", fontsize=11)
    return figure


@styled
def code_map(points: npt.NDArray[np.float64], names: Sequence[str]) -> Figure:
    """Draw codes (N, 2) in the plane, one dot a piece, in the colour of its class."""
    classes = sorted(set(names))
    figure = StyledFigure(figsize=(WIDTH, 6.4))
    axes = figure.subplots()
    places = np.array([classes.index(name) for name in names])
    axes.scatter(
        points[:, 0],
        points[:, 1],
        c=[get_class_colour(place) for place in places],
        s=10,
        linewidths=0,
        alpha=0.7,
    )
    if len(classes) > 1:
        label_classes(axes, points, places, [literal(name) for name in classes])
    axes.set_title(
        f"Codes of {words.pluralize(len(points), 'test piece')}, in the plane in which training codes vary "
        "most"
    )
    axes.set(xlabel="first principal component", ylabel="second principal component", aspect="equal")
    axes.set_adjustable("datalim")
    return figure


@styled
def scores(by_class: Mapping[str, Scores], threshold: float | None, normal: Collection[str]) -> Figure:
    """Draw the score of every picture, a row a class, and the threshold that separates alarms."""
    figure = StyledFigure(figsize=(WIDTH, 1.6 + 0.55 * len(by_class)))
    axes = figure.subplots()
    for row, (name, values) in enumerate(by_class.items()):
        # Dots side by side, so that equal scores do not hide each other: the same for the same scores.
        offsets = 0.6 * (np.arange(len(values)) * 0.618 % 1 - 0.5)
        axes.scatter(
            values, row + offsets, s=14, linewidths=0, alpha=0.6, color=BLUE if name in normal else ORANGE
        )
    if threshold is not None:
        axes.axvline(threshold, color=GREY, linestyle="--", label=f"threshold {threshold:.3g}")
        axes.legend(loc="lower right")
    if min(float(values.min()) for values in by_class.values()) > 0:
        axes.set_xscale("log")
        format_log_axis(axes.xaxis, (1, 3))
    axes.set_yticks(range(len(by_class)), [literal(name) for name in by_class])
    axes.invert_yaxis()
    axes.set_title("Scores of single pictures by the autoencoder")
    axes.set_xlabel("score: error of the reconstruction (right is more anomalous)")
    return figure


@styled
def detections(examples: Sequence[Example]) -> Figure:
    """Draw pictures above their error maps, the outlines of defects on both."""
    count = len(examples)
    figure = StyledFigure(figsize=(WIDTH, 3.6))
    add_title(figure, "From each class the test picture whose score is the median of its class")
    grid = figure.subplots(2, count, squeeze=False)
    limit = max(float(example.errors.max()) for example in examples) or 1.0
    for column, example in enumerate(examples):
        grid[0, column].set_title(literal(example.title), fontsize=10, loc="center")
        shown(grid[0, column], example.image)
        drawn = grid[1, column].imshow(example.errors, cmap=ERRORS, vmin=0, vmax=limit)
        if example.mask is not None and example.mask.any():
            for axes, line in ((grid[0, column], ORANGE), (grid[1, column], "white")):
                axes.contour(example.mask, levels=[0.5], colors=line, linewidths=1)
        if example.alarm is not None:
            grid[1, column].set_xlabel("alarm" if example.alarm else "no alarm", fontsize=10)
    format_image_grid(grid, ("picture", "error"))
    bar = figure.colorbar(drawn, ax=grid, shrink=0.9, aspect=30, pad=0.01)
    bar.set_label("error,\ngrey value from 0 to 1", fontsize=11)
    return figure
