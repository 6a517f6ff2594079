"""What comes back from under noise: curves over its strength, and a few test images."""

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
from studies.denoising import TITLES

Grey = npt.NDArray[np.uint8]
# Colour, marker and line: networks blue, what learned a linear basis orange, what learned nothing green.
LOOKS = {
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
NOISES = {
    "gaussian": "Gaussian noise, σ = {:g}",
    "salt_and_pepper": "{:.0%} salt and pepper",
    "squares": "square of {:.0%} of a side",
}


@styled
def curves(table: pd.DataFrame) -> Figure:
    """Draw PSNR and SSIM by the standard deviation of Gaussian noise, one line a method."""
    figure = StyledFigure(figsize=(WIDTH, 5.6))
    noises, similarities = figure.subplots(1, 2)
    of_kind = table[table["kind"] == "gaussian"]
    for axes, column, label in ((noises, "psnr", "PSNR, dB"), (similarities, "ssim", "SSIM")):
        for method, (colour, marker, line) in LOOKS.items():
            rows = of_kind[of_kind["method"] == method]
            look = {"color": colour, "marker": marker, "linestyle": line, "label": TITLES[method]}
            axes.plot(rows["strength"], rows[column], **look)
        axes.set_xticks(sorted(of_kind["strength"].unique()))
        axes.set_xlabel("standard deviation of the noise")
        axes.set_ylabel(label)
    figure.legend(
        *noises.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=3,
        title="What comes back of test images from under Gaussian noise, clipped to [0, 1]",
        alignment="left",
    )
    return figure


@styled
def examples(clean: Grey, made: Mapping[str, Grey], shown: Sequence[Noise]) -> Figure:
    """Draw clean test images and what every method makes of them, a block of columns a noise.

    `clean` is (images, H, W); `made`, by what methods are called, (noises, images, H, W), both grey levels.
    """
    rows = {"clean": np.repeat(clean[np.newaxis], len(shown), axis=0), **made}
    figure = StyledFigure(figsize=(WIDTH, 0.6 * len(rows) + 0.8))
    add_title(figure, "Some test images, what noise made of them, and what came back")
    # Names stand beside the first block alone, which is wider for it.
    (panels,) = figure.subfigures(1, len(shown), squeeze=False, width_ratios=[1.92] + [1] * (len(shown) - 1))
    for place, (panel, condition) in enumerate(zip(panels, shown, strict=True)):
        panel.suptitle(NOISES[condition.kind].format(condition.strength), fontsize=11)
        grid = panel.subplots(len(rows), len(clean), squeeze=False)
        for row, images in zip(grid, rows.values(), strict=True):
            for axes, image in zip(row, images[place], strict=True):
                # Smoothed between pixels, so many small pictures would take twice the bytes.
                axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        format_image_grid(grid, list(rows) if place == 0 else [""] * len(rows))
        for axes in grid[:, 0]:
            axes.yaxis.label.set(rotation=0, ha="right", va="center")
    return figure
