"""Figures of how well noisy images are restored: metrics by the strength of the noise, and examples."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from cae.datasets.noise import Noise
from cae.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    WIDTH,
    StyledFigure,
    add_title,
    format_image_grid,
    styled,
)
from studies.denoising.methods import TITLES

GreyLevels = npt.NDArray[np.uint8]
# Colour, marker and line of each method: networks are blue, the Wiener filter orange, other filters green.
STYLES = {
    "noisy": (GREY, "", ":"),
    "gaussian": (GREEN, "o", ":"),
    "median": (GREEN, "s", "--"),
    "total_variation": (GREEN, "^", "--"),
    "wavelet": (GREEN, "v", ":"),
    "nonlocal_means": (GREEN, "D", "-"),
    "wiener": (ORANGE, "s", "-"),
    "convolutional": (BLUE, "o", ":"),
    "residual": (BLUE, "s", "--"),
    "residual_cnn": (BLUE, "D", "-"),
}
# Each kind of noise: a title with its strength, and the axis of strengths.
KINDS = {
    "gaussian": ("Gaussian noise, σ = {:g}", "standard deviation σ of Gaussian noise"),
    "salt_and_pepper": ("{:.0%} salt and pepper", "share of salt and pepper"),
    "squares": ("square of {:.0%} of a side", "side of a square, as a share"),
}
METRICS = {"psnr": "PSNR, dB", "ssim": "SSIM"}


@styled
def plot_metrics(table: pd.DataFrame) -> Figure:
    """Plot each metric by the strength of each kind of noise, a line per method."""
    figure = StyledFigure(figsize=(WIDTH, 8.4))
    grid = figure.subplots(len(METRICS), len(KINDS), sharex="col", sharey="row")
    for row, (metric, metric_label) in zip(grid, METRICS.items(), strict=True):
        row[0].set_ylabel(metric_label)
        for axes, (kind, (_, kind_label)) in zip(row, KINDS.items(), strict=True):
            of_kind = table[table["kind"] == kind]
            for method, (colour, marker, line) in STYLES.items():
                rows = of_kind[of_kind["method"] == method]
                axes.plot(
                    rows["strength"],
                    rows[metric],
                    color=colour,
                    marker=marker,
                    linestyle=line,
                    label=TITLES[method],
                )
            axes.set_xticks(sorted(of_kind["strength"].unique()))
            if metric == list(METRICS)[-1]:
                axes.set_xlabel(kind_label, fontsize=11)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=3,
        title="Denoised test images: networks are blue, the Wiener filter is orange, other filters are green",
        alignment="left",
    )
    return figure


@styled
def plot_examples(clean: GreyLevels, denoised: Mapping[str, GreyLevels], shown: Sequence[Noise]) -> Figure:
    """Show clean test images and how every method denoises them, a block of columns per noise.

    `clean` is (images, H, W); `denoised` gives (noises, images, H, W) by the titles of the methods.
    """
    rows = {"clean": np.repeat(clean[np.newaxis], len(shown), axis=0), **denoised}
    figure = StyledFigure(figsize=(WIDTH, 0.6 * len(rows) + 0.8))
    add_title(figure, "Some test images: clean, with noise, and denoised by every method")
    # Only the first block has the names of the rows, and is wider for them.
    (panels,) = figure.subfigures(1, len(shown), squeeze=False, width_ratios=[1.92] + [1] * (len(shown) - 1))
    for place, (panel, noise) in enumerate(zip(panels, shown, strict=True)):
        panel.suptitle(KINDS[noise.kind][0].format(noise.strength), fontsize=11)
        grid = panel.subplots(len(rows), len(clean), squeeze=False)
        for row, images in zip(grid, rows.values(), strict=True):
            for axes, image in zip(row, images[place], strict=True):
                # Not smoothed between pixels: that would double the size of the PNG.
                axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        format_image_grid(grid, list(rows) if place == 0 else [""] * len(rows))
        for axes in grid[:, 0]:
            axes.yaxis.label.set(rotation=0, ha="right", va="center")
    return figure
