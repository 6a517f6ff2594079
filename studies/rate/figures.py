"""Error by the size of a code and by its bits, on logarithmic axes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cae.figures.style import BLUE, GREY, ORANGE, WIDTH, StyledFigure, add_title, format_log_axis, styled

STYLES = {"residual": (BLUE, "o", "residual network"), "PCA": (ORANGE, "s", "PCA")}


@styled
def plot_by_size(table: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Plot squared error and SSIM by the numbers per code, ours and published."""
    figure = StyledFigure(figsize=(WIDTH, 4.6))
    errors, similarities = figure.subplots(1, 2)
    for axes, column in ((errors, "mse"), (similarities, "ssim")):
        plot_methods(axes, table, "numbers", column)
        plot_published(axes, published, "numbers", column, "published convolutional autoencoder")
    format_error_axis(errors)
    similarities.set_ylabel("SSIM (published: another window)")
    figure.legend(
        *errors.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=3,
        title="Error and SSIM of reconstructed test images, by code size",
        alignment="left",
    )
    return figure


@styled
def plot_by_bits(table: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Plot squared error by the bits per quantised code, ours and published."""
    figure = StyledFigure(figsize=(WIDTH, 4.6))
    axes = figure.subplots()
    plot_methods(axes, table, "bits", "mse")
    plot_published(axes, published, "bits", "mse", "published compressor")
    format_error_axis(axes)
    axes.legend()
    add_title(figure, "Error of test images reconstructed from quantised codes")
    return figure


def plot_methods(axes: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """Plot a line for each of our methods over a logarithmic axis."""
    for method, (colour, marker, label) in STYLES.items():
        rows = table[table["method"] == method]
        axes.plot(rows[x], rows[y], color=colour, marker=marker, label=label)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(f"{x} per image (logarithmic)")


def plot_published(axes: Axes, published: pd.DataFrame, x: str, y: str, label: str) -> None:
    """Plot the published figures that have a value on this axis."""
    rows = published[published[x].notna()]
    axes.plot(rows[x], rows[y], "^", color=GREY, linestyle=":", label=label)


def format_error_axis(axes: Axes) -> None:
    """Make the axis of squared errors logarithmic."""
    axes.set_yscale("log")
    format_log_axis(axes.yaxis, (1, 2, 5))
    axes.set_ylabel("mean squared error (logarithmic)")
