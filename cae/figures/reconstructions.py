"""Figures of reconstructions and of training, and the tables of their errors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from cae.core.arrays import Images, Labels, Scores
from cae.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    SERIES_STYLES,
    WIDTH,
    StyledFigure,
    add_title,
    format_image_grid,
    format_log_axis,
    show_image,
    styled,
)

ERROR_AXIS = "(grey values from 0 to 1; logarithmic, left is better)"


class Method(NamedTuple):
    """A way to reconstruct the same images: its size, and its error on each image."""

    name: str
    code_size: int
    parameters: int
    errors: Scores  # (N,) mean squared error of each image

    @property
    def label(self) -> str:
        """The name and the size, for a legend."""
        return f"{self.name}: {self.code_size:,} numbers per image, {self.parameters:,} parameters"


@styled
def plot_loss_curves(history: pd.DataFrame, floor: float | None) -> Figure:
    """Plot training and validation loss by epoch, with the best epoch marked, above the learning rate.

    `history` has the columns epoch, loss, val_loss and learning_rate. `floor` is the lowest possible loss on
    the validation split. With it the left axis shows the loss above the floor on a logarithmic scale, where
    late gains stay visible beside those of the first epoch, and the right axis the loss itself. Raises
    ValueError if a loss is not above the floor.
    """
    figure = StyledFigure(figsize=(WIDTH, 5.8))
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    base = 0.0 if floor is None else floor
    if floor is not None and history[["loss", "val_loss"]].to_numpy().min() <= floor:
        raise ValueError(f"a loss is not above the floor of {floor}: it has no place on a logarithmic axis")
    best_row = int(np.argmin(history["val_loss"]))
    best_epoch, best_loss = int(history["epoch"].iloc[best_row]), float(history["val_loss"].iloc[best_row])
    losses.plot(history["epoch"], history["loss"] - base, "--", color=ORANGE, label="training")
    losses.plot(history["epoch"], history["val_loss"] - base, color=BLUE, label="validation")
    for axes in (losses, rates):
        axes.axvline(best_epoch, color=GREY, linewidth=1, linestyle=":")
    label = f"best epoch {best_epoch}: validation {best_loss:.5f}"
    losses.set_title("Binary cross-entropy by epoch")
    losses.set_ylabel("nats per pixel")
    if floor is not None:
        label += f"\n{best_loss - floor:.5f} above the floor of {floor:.5f}"
        losses.set_ylabel("nats per pixel above the floor,\nthe lowest possible loss (logarithmic)")
        losses.set_yscale("log")
        format_log_axis(losses.yaxis, (1, 2, 3, 4, 5, 6, 8))
        total = losses.secondary_yaxis("right", functions=(lambda y: y + floor, lambda y: y - floor))
        total.yaxis.set_major_locator(MaxNLocator(6))
        total.yaxis.set_major_formatter("{x:.3f}")
        total.yaxis.set_minor_locator(NullLocator())
        total.set_ylabel("nats per pixel")
    losses.plot(best_epoch, best_loss - base, "o", color=BLUE, markersize=8, label=label)
    losses.legend(loc="upper right")
    rates.plot(history["epoch"], history["learning_rate"], color=GREY)
    rates.set_ylim(bottom=0)
    rates.set_ylabel("learning\nrate")
    rates.set_xlabel("epoch")
    rates.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    return figure


def find_median(errors: Scores, members: npt.NDArray[np.bool_]) -> int:
    """Return the index of the (lower) median error among the members, a mask (N,)."""
    indices = np.flatnonzero(members)
    order = np.argsort(errors[indices], kind="stable")
    return int(indices[order[(len(order) - 1) // 2]])


class Examples(NamedTuple):
    """Images and their reconstructions, (N, H, W, C) each, grey or in colour."""

    images: Images
    reconstructions: Images
    errors: Scores  # (N,) mean squared error of each image
    titles: Sequence[str] | None  # of each image, such as its class
    noisy: Images | None = None  # the input, where noise was removed


@styled
def plot_examples(examples: Examples, title: str) -> Figure:
    """Show original, reconstruction and error of every image, one column per image.

    The error of grey images has a sign: blue where the reconstruction is darker, red where it is brighter.
    The error of images in colour is the root mean square over the channels.
    """
    grey = examples.images.shape[-1] == 1
    differences = examples.reconstructions - examples.images
    differences = differences[..., 0] if grey else np.sqrt(np.square(differences).mean(axis=-1))
    limit = float(np.abs(differences).max()) or 1.0
    rows = {
        "original": examples.images,
        **({} if examples.noisy is None else {"input": examples.noisy}),
        "reconstruction": examples.reconstructions,
    }
    figure = StyledFigure(figsize=(WIDTH, 1.1 + 1.3 * (len(rows) + 1) * 2 / 3))
    add_title(figure, title)
    axes = figure.subplots(len(rows) + 1, len(examples.images), squeeze=False)
    for column, difference in enumerate(differences):
        if examples.titles is not None:
            axes[0, column].set_title(examples.titles[column], fontsize=10, loc="center")
        for row, images in enumerate(rows.values()):
            show_image(axes[row, column], images[column])
        shown = axes[-1, column].imshow(
            difference, cmap="RdBu_r" if grey else "Reds", vmin=-limit if grey else 0, vmax=limit
        )
        axes[-1, column].set_xlabel(f"MSE\n{examples.errors[column]:.4f}", fontsize=10)
    format_image_grid(axes, (*rows, "error"))
    bar = figure.colorbar(shown, ax=axes, shrink=0.9, aspect=30, pad=0.01)
    measure = "reconstruction − original" if grey else "error over the channels (RMS)"
    bar.set_label(f"{measure},\ngrey value from 0 to 1", fontsize=11)
    return figure


@styled
def plot_extremes(best: Examples, worst: Examples, count: int) -> Figure:
    """Show the best and the worst of `count` reconstructions by mean squared error."""
    figure = StyledFigure(figsize=(WIDTH, 6.4))
    grid = figure.add_gridspec(2, 1, hspace=0.04)
    for row, (name, examples) in enumerate({"best": best, "worst": worst}.items()):
        panel = figure.add_subfigure(grid[row])
        add_title(panel, f"The {len(examples.images)} {name} reconstructions of {count:,} test images")
        axes = panel.subplots(2, len(examples.images), squeeze=False)
        for column, error in enumerate(examples.errors):
            if examples.titles is not None:
                axes[0, column].set_title(examples.titles[column], fontsize=11, loc="center")
            show_image(axes[0, column], examples.images[column])
            show_image(axes[1, column], examples.reconstructions[column])
            axes[1, column].set_xlabel(f"MSE {error:.4f}", fontsize=10)
        format_image_grid(axes, ("original", "reconstruction"))
    return figure


def tabulate_class_errors(
    methods: Sequence[Method], labels: Labels, class_names: Sequence[str]
) -> pd.DataFrame:
    """Tabulate mean squared error per class: columns class, images, and one per method."""
    rows = [
        {"class": class_names[label], "images": int((labels == label).sum())}
        | {method.name: float(method.errors[labels == label].mean()) for method in methods}
        for label in np.unique(labels)
    ]
    return pd.DataFrame(rows)


def tabulate_error_percentiles(methods: Sequence[Method]) -> pd.DataFrame:
    """Tabulate percentiles 1 to 99 of the errors of single images: `percentile`, and one column per method.

    Columns `A / B` hold the error of the first method divided by that of each other method.
    """
    percentiles = np.arange(1, 100)
    columns = {method.name: np.percentile(method.errors, percentiles) for method in methods}
    ours, *others = columns
    ratios = {f"{ours} / {other}": columns[ours] / columns[other] for other in others}
    return pd.DataFrame({"percentile": percentiles} | columns | ratios)


@styled
def plot_error_by_class(methods: Sequence[Method], labels: Labels, class_names: Sequence[str]) -> Figure:
    """Plot mean squared error per class, a marker for each method; the first method sorts the classes."""
    table = tabulate_class_errors(methods, labels, class_names).sort_values(methods[0].name, kind="stable")
    names = [*table["class"], "all images"]
    figure = StyledFigure(figsize=(WIDTH, 6.2))
    axes = figure.subplots()
    for method, (colour, marker) in zip(methods, SERIES_STYLES[: len(methods)], strict=True):
        values = [*table[method.name], method.errors.mean()]
        axes.plot(values, names, marker, color=colour, markersize=9, label=method.label)
    axes.axhline(len(table) - 0.5, color=GREY, linewidth=1)
    axes.set_xscale("log")
    format_log_axis(axes.xaxis, (1, 2, 5))
    axes.grid(axis="x", which="minor")
    axes.set_xlabel(f"mean squared error per class {ERROR_AXIS}")
    figure.legend(loc="outside upper left", title="Reconstruction error by class", alignment="left")
    return figure


@styled
def plot_error_distribution(methods: Sequence[Method]) -> Figure:
    """Plot a histogram of the squared errors of single images for each method, and mark the medians."""
    # A perfect image has no place on a logarithmic axis: it is counted in the first bin.
    least = 1e-6
    errors = [np.maximum(method.errors, least) for method in methods]
    bins = np.geomspace(min(e.min() for e in errors) / 1.01, max(e.max() for e in errors) * 1.01, 81).tolist()
    figure = StyledFigure(figsize=(WIDTH, 5.2))
    axes = figure.subplots()
    for method, values, (colour, _) in zip(methods, errors, SERIES_STYLES[: len(methods)], strict=True):
        median = float(np.median(method.errors))
        label = f"{method.label}, median {median:.5f}"
        axes.hist(values, bins=bins, histtype="stepfilled", color=colour, alpha=0.25)
        axes.hist(values, bins=bins, histtype="step", color=colour, linewidth=1.5)
        axes.axvline(max(median, least), color=colour, linestyle="--", label=label)
    axes.set_xscale("log")
    format_log_axis(axes.xaxis, (1, 2, 5))
    axes.set_xlabel(f"mean squared error per image {ERROR_AXIS}")
    axes.set_ylabel("test images per bin")
    figure.legend(loc="outside upper left", title="Reconstruction error of single images", alignment="left")
    return figure
