"""New pictures, pictures between pictures, and what a weight does to codes."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from cae.core.arrays import Images
from cae.figures.style import (
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
def samples(drawn: Images, between: Images) -> Figure:
    """Draw new pictures beside the ways from one test image to another, both (R, C, H, W, 1)."""
    figure = StyledFigure(figsize=(WIDTH, 5.2))
    axes = figure.subplots(1, 2, squeeze=False)
    titles = ("New pictures: codes drawn from N(0, 1)", "From one test image's code to the next one's")
    for place, images, title in zip(axes[0], (drawn, between), titles, strict=True):
        # Smoothed between pixels, so many small pictures would take twice the bytes.
        place.imshow(tiled(images)[..., 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        place.set_title(title, fontsize=12)
    format_image_grid(axes, ("",))
    return figure


def tiled(images: Images) -> Images:
    """Lay images (R, C, H, W, 1) side by side in rows: (R·H, C·W, 1)."""
    rows, columns, height, width, _ = images.shape
    return images.swapaxes(1, 2).reshape(rows * height, columns * width, 1)


@styled
def reconstructions(images: Images, drawn: Images, decoded: Mapping[float, Images]) -> Figure:
    """Draw test images, their drawn pixels, and what networks of each weight β make of the images."""
    rows = {"grey": images, "drawn": drawn} | {f"β = {beta:g}": made for beta, made in decoded.items()}
    figure = StyledFigure(figsize=(WIDTH, 1.0 * len(rows) + 0.5))
    add_title(figure, "The first test image of each class, its drawn pixels, and its reconstructions")
    axes = figure.subplots(len(rows), len(images), squeeze=False)
    for line, made in zip(axes, rows.values(), strict=True):
        for place, image in zip(line, made, strict=True):
            show_image(place, image)
    format_image_grid(axes, tuple(rows))
    return figure


@styled
def units(table: pd.DataFrame) -> Figure:
    """Draw how many nats each number of a code tells of a picture, one line a weight β."""
    figure = StyledFigure(figsize=(WIDTH, 4.2))
    axes = figure.subplots()
    for (beta, of_beta), (colour, marker) in zip(table.groupby("beta"), SERIES_STYLES):
        label = f"β = {beta:g}: {int(of_beta['active'].sum())} active"
        axes.plot(of_beta["rank"], of_beta["kl"], color=colour, marker=marker, label=label)
    axes.set_yscale("log")
    format_log_axis(axes.yaxis, (1,))
    axes.set_ylabel("nats a test picture")
    axes.set_xlabel("numbers of the code, the one that tells most first")
    axes.legend()
    add_title(figure, "What each number of a code tells of a picture: its divergence from N(0, 1)")
    return figure
