"""Figures of anomaly scores and error maps."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator
from sklearn.metrics import roc_auc_score, roc_curve

from cae.core.arrays import Images, Labels, Scores
from cae.datasets.masks import Mask
from cae.figures import error_maps
from cae.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    WIDTH,
    StyledFigure,
    add_title,
    format_image_grid,
    format_log_axis,
    show_image,
    styled,
)
from cae.metrics.error_maps import ErrorMap

# Colour and line style of each method in a figure.
LINES = ((BLUE, "-"), (ORANGE, "--"), (GREY, ":"), (GREEN, "-."))


class Example(NamedTuple):
    """A test image with its error map."""

    title: str
    image: Images  # (H, W, C)
    errors: ErrorMap  # (H, W)
    mask: Mask | None  # true where the defect is
    alarm: bool | None  # None without a threshold


@styled
def plot_scores(
    by_class: Mapping[str, Scores], threshold: float | None, normal: Collection[str], score: str
) -> Figure:
    """Plot the anomaly score of every test image, a row for each class, and the threshold.

    `normal` holds the names of the normal classes, and `score` names the score.
    """
    figure = StyledFigure(figsize=(WIDTH, 2.2 + 0.55 * len(by_class)))
    axes = figure.subplots()
    for row, (name, values) in enumerate(by_class.items()):
        # Dots side by side, so that equal scores do not hide each other.
        offsets = 0.6 * (np.arange(len(values)) * 0.618 % 1 - 0.5)
        colour = BLUE if name in normal else ORANGE
        axes.scatter(values, row + offsets, s=14, linewidths=0, alpha=0.6, color=colour)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=label)
        for colour, label in ((BLUE, "normal test image"), (ORANGE, "anomalous test image"))
    ]
    if threshold is not None:
        handles.append(
            axes.axvline(threshold, color=GREY, linestyle="--", label=f"threshold {threshold:.3g}")
        )
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=3,
        alignment="left",
        title=f"Anomaly scores of test images (anomaly.score: {score})",
    )
    scale = ""
    if min(float(values.min()) for values in by_class.values()) > 0:
        axes.set_xscale("log")
        format_log_axis(axes.xaxis, (1, 3))
        scale = "logarithmic, "
    axes.set_yticks(range(len(by_class)), list(by_class))
    axes.invert_yaxis()
    axes.set_xlabel(f"anomaly score ({scale}right is more anomalous)")
    return figure


@styled
def plot_error_maps(examples: Sequence[Example]) -> Figure:
    """Show images above their error maps, with the outlines of defects on both."""
    outlined = any(example.mask is not None and example.mask.any() for example in examples)
    figure = StyledFigure(figsize=(WIDTH, 3.6))
    add_title(
        figure,
        "From each class the test image with the median anomaly score"
        + ("; outlines are the true defects" if outlined else ""),
    )
    grid = figure.subplots(2, len(examples), squeeze=False)
    limit = max(float(example.errors.max()) for example in examples) or 1.0
    for column, example in enumerate(examples):
        grid[0, column].set_title(example.title, fontsize=10, loc="center")
        show_image(grid[0, column], example.image)
        shown = grid[1, column].imshow(example.errors, cmap=error_maps.COLOURS, vmin=0, vmax=limit)
        if example.mask is not None and example.mask.any():
            for axes, colour in ((grid[0, column], ORANGE), (grid[1, column], "white")):
                axes.contour(example.mask, levels=[0.5], colors=colour, linewidths=1)
        if example.alarm is not None:
            grid[1, column].set_xlabel("alarm" if example.alarm else "no alarm", fontsize=10)
    format_image_grid(grid, ("image", "error map"))
    bar = figure.colorbar(shown, ax=grid, shrink=0.9, aspect=30, pad=0.01)
    bar.set_label("root of the error", fontsize=11)
    return figure


@styled
def plot_roc_curves(
    scores: Mapping[str, Sequence[Scores]], labels: Labels, class_names: Sequence[str], what: str
) -> Figure:
    """Plot ROC curves, a panel for each normal class and a curve for each method.

    `scores` gives for each method the scores (N,) of all images with class 0, 1, … as the normal one. `what`
    describes the scores in the title. The titles of the panels give the area under the first method's curve.
    """
    figure = StyledFigure(figsize=(WIDTH, 5.4))
    count = len(next(iter(scores.values())))
    panels = figure.subplots(-(-count // 5), 5, sharex=True, sharey=True, squeeze=False)
    figure.supxlabel("share of normal images above the threshold (false alarms)", fontsize=12)
    figure.supylabel("share of anomalies above it", fontsize=12)
    for label, axes in zip(range(count), panels.flat):
        for (name, by_class), (colour, line) in zip(scores.items(), LINES[: len(scores)], strict=True):
            false_alarms, detections, _ = roc_curve(labels != label, by_class[label])
            axes.plot(false_alarms, detections, line, color=colour, linewidth=1.8, label=name)
        area = roc_auc_score(labels != label, next(iter(scores.values()))[label])
        axes.set_title(f"{class_names[label]}: {area:.1%}", fontsize=11)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator([0, 0.5, 1]))
            axis.set_major_formatter("{x:g}")
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside upper left",
        ncols=3,
        alignment="left",
        title=f"One normal class against all others: {what}\n"
        f"Above each panel the normal class and the area under the curve of {next(iter(scores))}",
    )
    return figure


@styled
def plot_ranking_ends(
    images: Images,
    scores: Sequence[Scores],
    labels: Labels,
    class_names: Sequence[str],
    count: int = 3,
) -> Figure:
    """Show the images with the lowest and the highest scores, a row for each normal class.

    First those of the normal class, then the anomalies. The second and the third group are what the score
    takes for the other kind.
    """
    groups = {
        "normal,\nlowest scores": (True, 1),
        "normal,\nhighest scores": (True, -1),
        "anomalous,\nlowest scores": (False, 1),
        "anomalous,\nhighest scores": (False, -1),
    }
    # The images are most of the file: larger or more of them would take it beyond 150 KB.
    figure = StyledFigure(figsize=(WIDTH, 0.48 * len(scores) + 0.9))
    add_title(figure, "Test images with the lowest and the highest anomaly scores, by normal class")
    grid = figure.add_gridspec(1, len(groups), width_ratios=(1.3, 1, 1, 1))
    for column, (title, (normal, direction)) in enumerate(groups.items()):
        panel = figure.add_subfigure(grid[column])
        panel.suptitle(title, fontsize=11)
        axes = panel.subplots(len(scores), count, squeeze=False)
        for label, by_class in enumerate(scores):
            members = np.flatnonzero((labels == label) == normal)
            order = members[np.argsort(by_class[members], kind="stable")][::direction]
            for cell, index in zip(axes[label], order[:count]):
                show_image(cell, images[index])
        format_image_grid(axes, class_names[: len(scores)] if column == 0 else [""] * len(scores))
        for cell in axes[:, 0]:
            cell.yaxis.label.set(rotation=0, ha="right", va="center")
    return figure


@styled
def plot_score_distributions(
    test: Mapping[str, Scores], foreign: Mapping[str, Scores], samples: Images, name: str
) -> Figure:
    """Plot histograms of the scores of test images and of images of another kind, a panel for each score.

    `test` and `foreign` give scores (N,) by the same names; `samples` are foreign to show, and `name` is
    what they are.
    """
    figure = StyledFigure(figsize=(WIDTH, 2.9 * len(test) + 1.4))
    grid = figure.add_gridspec(2, 1, height_ratios=(1.2, 2.9 * len(test)))
    top, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    add_title(top, f"Out of distribution: {name} (orange) against the test split of Fashion-MNIST (blue)")
    cells = top.subplots(1, len(samples), squeeze=False)
    for cell, image in zip(cells[0], samples, strict=True):
        show_image(cell, image)
    format_image_grid(cells, [""])
    panels = below.subplots(len(test), 1, squeeze=False)[:, 0]
    for axes, (score, known) in zip(panels, test.items(), strict=True):
        both = np.concatenate([known, foreign[score]])
        positive = bool(both.min() > 0)
        low, high = np.quantile(both, [0.0005, 0.9995])
        bins: npt.NDArray[np.float64] = (np.geomspace if positive else np.linspace)(low, high, 81)
        for values, colour, label in ((known, BLUE, "test split"), (foreign[score], ORANGE, name)):
            clipped = np.clip(values, low, high)
            shares = np.full(len(values), 1 / len(values))
            axes.hist(clipped, bins.tolist(), weights=shares, color=colour, alpha=0.3)
            axes.hist(clipped, bins.tolist(), weights=shares, histtype="step", color=colour, label=label)
        if positive:
            axes.set_xscale("log")
            format_log_axis(axes.xaxis, (1, 2, 3, 5))
        area = roc_auc_score(np.repeat([False, True], [len(known), len(foreign[score])]), both)
        axes.set_title(f"{score}{' (logarithmic axis)' if positive else ''}: AUROC {area:.1%}")
        axes.set_ylabel("share of images")
        axes.legend(loc="upper left")
    panels[-1].set_xlabel(
        "anomaly score (right is more anomalous); the outer bins hold all scores beyond", color=GREY
    )
    return figure
