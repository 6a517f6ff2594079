"""Error by what a code costs, on logarithmic axes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cae.figures.style import BLUE, GREY, ORANGE, WIDTH, StyledFigure, add_title, format_log_axis, styled

LOOKS = {"residual": (BLUE, "o", "residual network"), "PCA": (ORANGE, "s", "PCA")}


@styled
def rate(table: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Draw squared error and SSIM by the numbers of a code, ours and published."""
    figure = StyledFigure(figsize=(WIDTH, 4.6))
    errors, similarities = figure.subplots(1, 2)
    of_numbers = published[published["numbers"].notna()]
    for axes, column in ((errors, "mse"), (similarities, "ssim")):
        for method, (colour, marker, label) in LOOKS.items():
            of_method = table[table["method"] == method]
            axes.plot(of_method["numbers"], of_method[column], color=colour, marker=marker, label=label)
        label = "published convolutional autoencoder"
        axes.plot(of_numbers["numbers"], of_numbers[column], "^", color=GREY, linestyle=":", label=label)
        by_cost(axes, "numbers a picture")
    errors.set_yscale("log")
    format_log_axis(errors.yaxis, (1, 2, 5))
    errors.set_ylabel("mean squared error")
    similarities.set_ylabel("SSIM (published: another window)")
    figure.legend(
        *errors.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=3,
        title="What is lost of a test image, by the numbers that it is squeezed into",
        alignment="left",
    )
    return figure


@styled
def bits(table: pd.DataFrame, published: pd.DataFrame) -> Figure:
    """Draw squared error by the bits of a rounded code, the best of each method, and published figures."""
    figure = StyledFigure(figsize=(WIDTH, 4.6))
    axes = figure.subplots()
    for method, (colour, marker, label) in LOOKS.items():
        of_method = table[table["method"] == method]
        axes.plot(of_method["bits"], of_method["mse"], color=colour, marker=marker, label=label)
    of_bits = published[published["bits"].notna()]
    axes.plot(of_bits["bits"], of_bits["mse"], "^", color=GREY, linestyle=":", label="published compressor")
    axes.set_yscale("log")
    format_log_axis(axes.yaxis, (1, 2, 5))
    axes.set_ylabel("mean squared error")
    by_cost(axes, "bits a picture")
    axes.legend()
    add_title(figure, "What is lost of a test image, by the bits of its code")
    return figure


def by_cost(axes: Axes, label: str) -> None:
    """Put powers of two along the bottom."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(label)
