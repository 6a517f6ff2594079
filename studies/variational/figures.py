"""Log-likelihoods, new images, interpolations and reconstructions, and the numbers of a code."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cae.core.arrays import Images
from cae.figures.style import (
    BLUE,
    GREY,
    SERIES_STYLES,
    WIDTH,
    StyledFigure,
    add_title,
    format_image_grid,
    format_log_axis,
    show_image,
    styled,
)


@styled
def plot_likelihoods(table: pd.DataFrame, ours: str, floor: str) -> Figure:
    """Plot the log-likelihood of every method as printed; the floor is far away and only named."""
    methods = table[table["method"] != floor].iloc[::-1]
    (best,) = table.loc[table["method"] == floor, "log_likelihood"]
    figure = StyledFigure(figsize=(WIDTH, 0.3 * len(methods) + 1))
    axes = figure.subplots()
    is_ours = (methods["method"] == ours).to_numpy()
    positions = np.arange(len(methods))
    for chosen, colour, label in ((~is_ours, GREY, "published"), (is_ours, BLUE, "this network")):
        axes.errorbar(
            methods["log_likelihood"][chosen],
            positions[chosen],
            xerr=methods["plus_minus"][chosen].fillna(0),
            fmt="o",
            color=colour,
            capsize=3,
            label=label,
        )
    axes.set_yticks(positions, methods["method"], fontsize=10)
    axes.set_xlabel(f"nats per test image (floor: −{-best:.1f}, outside of this axis)")
    axes.legend(loc="lower right")
    add_title(figure, "Log-likelihood of binary test images; bars: ± as published")
    return figure


@styled
def plot_samples(new: Images, between: Images) -> Figure:
    """Draw new images beside interpolations from one test image to another, both (R, C, H, W, 1)."""
    figure = StyledFigure(figsize=(WIDTH, 5.2))
    axes = figure.subplots(1, 2, squeeze=False)
    titles = ("New images: codes drawn from N(0, 1)", "From one test image's code to the next one's")
    for place, images, title in zip(axes[0], (new, between), titles, strict=True):
        # Not smoothed between pixels: that would double the size of the PNG.
        place.imshow(tile(images)[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        place.set_title(title, fontsize=12)
    format_image_grid(axes, ("",))
    return figure


def tile(images: Images) -> Images:
    """Put images (R, C, H, W, 1) side by side in rows: (R·H, C·W, 1)."""
    rows, columns, height, width, _ = images.shape
    return images.swapaxes(1, 2).reshape(rows * height, columns * width, 1)


@styled
def plot_reconstructions(grey: Images, binary: Images, reconstructions: Mapping[float, Images]) -> Figure:
    """Draw grey test images, the binary ones, and the reconstructions of the grey ones by weight β."""
    several = len(reconstructions) > 1
    rows = {"grey": grey, "binary": binary} | {
        f"β = {beta:g}" if several else "reconstruction": images for beta, images in reconstructions.items()
    }
    figure = StyledFigure(figsize=(WIDTH, 1.1 * len(rows) + 0.5))
    add_title(figure, "The first test image of each class, its binary image, and its reconstruction")
    axes = figure.subplots(len(rows), len(grey), squeeze=False)
    for line, images in zip(axes, rows.values(), strict=True):
        for place, image in zip(line, images, strict=True):
            show_image(place, image)
    format_image_grid(axes, tuple(rows))
    return figure


@styled
def plot_units(table: pd.DataFrame) -> Figure:
    """Plot the divergence of each number of a code, one line per weight β."""
    figure = StyledFigure(figsize=(WIDTH, 4.2))
    axes = figure.subplots()
    several = table["beta"].nunique() > 1
    for (beta, units), (colour, marker) in zip(table.groupby("beta"), SERIES_STYLES):
        label = f"{int(units['active'].sum())} of {len(units)} numbers are active"
        label = f"β = {beta:g}: {label}" if several else label
        axes.plot(units["rank"], units["kl"], color=colour, marker=marker, label=label)
    axes.set_yscale("log")
    format_log_axis(axes.yaxis, (1,))
    axes.set_ylabel("nats per test image (logarithmic)")
    axes.set_xlabel("numbers of the code, the largest divergence first")
    axes.legend()
    add_title(figure, "Divergence of each number of the code from N(0, 1)")
    return figure
