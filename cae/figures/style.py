"""The style of all figures: 960 pixels wide, and the same bytes whatever matplotlib settings the user has.

The colours are the blue, vermilion and green of Okabe and Ito, which differ under every common colour
blindness, and a grey; the markers differ too. The background is white, so that figures also read on a dark
page.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib.style
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import LogLocator, NullFormatter

from cae.core.arrays import Images

Parameters = ParamSpec("Parameters")

BLUE, ORANGE, GREY, GREEN = "#0072B2", "#D55E00", "#6B6B6B", "#009E73"
# Colour and marker of each method in a figure.
SERIES_STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREY, "^"), (GREEN, "D"))
WIDTH = 9.6  # inches, of 100 pixels
# Images side by side in a grid, at most.
COLUMNS = 8
STYLE = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 12,
    "text.parse_math": False,  # names of classes may hold a $
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.xmargin": 0.02,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "legend.framealpha": 1.0,
    "legend.edgecolor": "white",
    "legend.title_fontsize": 13,
    "lines.linewidth": 2,
}


class StyledFigure(Figure):
    """A figure that is also written in our style: matplotlib lays out text and ticks only then."""

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Write the figure, with the arguments of matplotlib's `savefig`."""
        with matplotlib.style.context(["default", STYLE]):
            super().savefig(*args, **kwargs)


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Decorate a function that draws a figure: it draws in our style alone."""

    @wraps(draw)
    def draw_styled(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return draw_styled


def add_title(figure: FigureBase, text: str) -> None:
    """Add a title at the left edge of a figure."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=13)


def format_log_axis(axis: Axis, digits: Sequence[float]) -> None:
    """Label a logarithmic axis with plain numbers that begin with one of these digits."""
    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(LogLocator(subs=range(1, 10)))
    axis.set_minor_formatter(NullFormatter())


def show_image(axes: Axes, image: Images) -> None:
    """Show an image (H, W, C) in [0, 1]: grey from black to white where C is 1, in colour where it is 3."""
    axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)


def format_image_grid(grid: npt.NDArray[Any], row_names: Sequence[str]) -> None:
    """Remove ticks, lines and frames from a grid of images, and name its rows."""
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set_visible(False)
    for axes, name in zip(grid[:, 0], row_names, strict=True):
        axes.set_ylabel(name, fontsize=11)
