"""Pictures of anomaly scores, in the style of pictures/style.py."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator
from sklearn.metrics import roc_auc_score, roc_curve

from cae.core.arrays import Images, Labels, Scores
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

# How the curves of one picture look: colour and line.
LINES = ((BLUE, "-"), (ORANGE, "--"), (GREY, ":"), (GREEN, "-."))


@styled
def plot_roc_curves(
    scores: Mapping[str, Sequence[Scores]], labels: Labels, class_names: Sequence[str], what: str
) -> Figure:
    """Draw ROC curves, one panel a normal class and one curve a method, with the area under the first.

    `scores` gives for each method the scores (N,) of all images with class 0, 1, … as the normal one;
    `what` says in the title which scores these are.
    """
    figure = StyledFigure(figsize=(WIDTH, 5.4))
    count = len(next(iter(scores.values())))
    panels = figure.subplots(-(-count // 5), 5, sharex=True, sharey=True, squeeze=False)
    figure.supxlabel("normal images taken for anomalies", fontsize=12)
    figure.supylabel("anomalies found", fontsize=12)
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
        title=f"Each class against the nine others: {what}\nIn the titles the area under the first curve",
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
    """Draw for each normal class what its score ranks at the ends, one row a class.

    The least and most anomalous images of the class itself, then of the others: the second and the third
    group are where the score is wrong first.
    """
    groups = {
        "least anomalous\nof the class": (True, 1),
        "most anomalous\nof the class": (True, -1),
        "least anomalous\nof the others": (False, 1),
        "most anomalous\nof the others": (False, -1),
    }
    # The images are most of the file: larger or more of them would take it beyond 150 KB.
    figure = StyledFigure(figsize=(WIDTH, 0.48 * len(scores) + 0.9))
    add_title(figure, "Test images at the ends of each class's ranking")
    grid = figure.add_gridspec(1, len(groups), width_ratios=(1.3, 1, 1, 1))
    for column, (title, (own, direction)) in enumerate(groups.items()):
        panel = figure.add_subfigure(grid[column])
        panel.suptitle(title, fontsize=11)
        axes = panel.subplots(len(scores), count, squeeze=False)
        for label, by_class in enumerate(scores):
            members = np.flatnonzero((labels == label) == own)
            order = members[np.argsort(by_class[members], kind="stable")][::direction]
            for cell, index in zip(axes[label], order[:count]):
                show_image(cell, images[index])
        first = own and direction == 1
        format_image_grid(axes, class_names[: len(scores)] if first else [""] * len(scores))
        for cell in axes[:, 0]:
            cell.yaxis.label.set(rotation=0, ha="right", va="center")
    return figure


@styled
def plot_score_distributions(
    test: Mapping[str, Scores], strangers: Mapping[str, Scores], samples: Images, name: str
) -> Figure:
    """Draw how far apart scores set images of the known kind and strangers, one panel a score.

    `test` and `strangers` give (N,) scores by the same names; `samples` are strangers to show.
    """
    figure = StyledFigure(figsize=(WIDTH, 2.9 * len(test) + 1.4))
    grid = figure.add_gridspec(2, 1, height_ratios=(1.2, 2.9 * len(test)))
    top, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    add_title(top, f"Out of distribution: {name} against the test split of Fashion-MNIST")
    cells = top.subplots(1, len(samples), squeeze=False)
    for cell, image in zip(cells[0], samples, strict=True):
        show_image(cell, image)
    format_image_grid(cells, [""])
    panels = below.subplots(len(test), 1, squeeze=False)[:, 0]
    for axes, (score, known) in zip(panels, test.items(), strict=True):
        both = np.concatenate([known, strangers[score]])
        positive = bool(both.min() > 0)
        low, high = np.quantile(both, [0.0005, 0.9995])
        bins: npt.NDArray[np.float64] = (np.geomspace if positive else np.linspace)(low, high, 81)
        for values, colour, label in ((known, BLUE, "test split"), (strangers[score], ORANGE, name)):
            clipped = np.clip(values, low, high)
            shares = np.full(len(values), 1 / len(values))
            axes.hist(clipped, bins.tolist(), weights=shares, color=colour, alpha=0.3)
            axes.hist(clipped, bins.tolist(), weights=shares, histtype="step", color=colour, label=label)
        if positive:
            axes.set_xscale("log")
            format_log_axis(axes.xaxis, (1, 2, 3, 5))
        area = roc_auc_score(np.repeat([False, True], [len(known), len(strangers[score])]), both)
        axes.set_title(f"{score}: AUROC {area:.1%}")
        axes.set_ylabel("share of images")
        axes.legend(loc="upper left")
    panels[-1].set_xlabel("score; the right is more anomalous, the ends hold what lies beyond", color=GREY)
    return figure
