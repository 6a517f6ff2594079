"""What every figure looks like that studies draw with the library, as PNGs of tiny inputs: figures.json."""

import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from behaviour import Cases, examples
from cae.core import files
from cae.figures import anomalies, codes, style

IMAGES = examples.images(23, 7, 9)
LABELS = examples.labels(23)
SCORES = examples.rows(23, 3).astype(np.float64).T
# Above 0, so that axes are logarithmic, and on either side of it.
POSITIVE, SIGNED = np.exp(SCORES[0] / 3), SCORES[1]
METHODS = {"distance": list(SCORES), "error": list(-SCORES)}


def png(figure: Figure) -> bytes:
    """Write a figure as every stage does, and return the bytes of the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        files.write_figure(path, figure)
        return path.read_bytes()


@style.styled
def in_our_style() -> Figure:
    """Draw with everything that a study takes from `cae.figures.style`."""
    figure = style.StyledFigure(figsize=(style.WIDTH, 6))
    style.add_title(figure, "Heading")
    (top, below) = figure.subfigures(2, 1, squeeze=False)[:, 0]
    grid = top.subplots(2, 3)
    for axes, image in zip(grid.flat, IMAGES):
        style.show_image(axes, image)
    style.format_image_grid(grid, ["first row", "second row"])
    linear, logarithmic = below.subplots(1, 2)
    for place, (colour, marker) in enumerate(style.SERIES_STYLES):
        values = POSITIVE[3 * place : 3 * place + 3]
        linear.plot(values, color=colour, marker=marker, label=f"method {place}")
        logarithmic.plot(values, [10, 20, 200], color=colour, marker=marker)
    for place, colour in enumerate((style.BLUE, style.ORANGE, style.GREY, style.GREEN)):
        linear.axhline(place, color=colour)
    logarithmic.set(xscale="log", yscale="log", xlabel="label", title="Title")
    style.format_log_axis(logarithmic.xaxis, (1, 2, 5))
    style.format_log_axis(logarithmic.yaxis, (1, 3))
    linear.legend(title="Legend")
    return figure


CASES: Cases = {
    "anomaly_distribution": lambda: png(
        anomalies.plot_score_distributions(
            {"positive": POSITIVE[:12], "signed": SIGNED[:12]},
            {"positive": 2 * POSITIVE[12:], "signed": SIGNED[12:] + 1},
            IMAGES[:3],
            "digits",
        )
    ),
    "anomaly_extremes": lambda: png(
        anomalies.plot_ranking_ends(IMAGES, METHODS["distance"], LABELS, examples.CLASS_NAMES)
    ),
    "anomaly_roc": lambda: png(
        anomalies.plot_roc_curves(METHODS, LABELS, examples.CLASS_NAMES, "first seed")
    ),
    "first_of_each_class": lambda: codes.find_first_of_each_class(LABELS[::-1]),
    "style": lambda: png(in_our_style()),
}
