"""The look that all pictures share: 960 pixels wide, the same bytes whoever draws them.

The colours are Okabe and Ito's blue, vermilion and green, told apart under every common colour blindness,
and a grey; markers differ too. The background is opaque white, so that a picture also reads on a dark page.
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
# How the methods of one picture look: colour and marker.
SERIES_STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREY, "^"), (GREEN, "D"))
STYLE = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # comes with matplotlib: no machine lacks it
    "font.size": 12,
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
WIDTH = 9.6  # inches, at 100 pixels each


class StyledFigure(Figure):
    """A figure that is written in our style too: matplotlib makes ticks and sizes only then."""

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Write the figure; arguments as matplotlib's."""
        with matplotlib.style.context(["default", STYLE]):
            super().savefig(*args, **kwargs)


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Draw in our style alone, whatever matplotlibrc the user has."""

    @wraps(draw)
    def draw_styled(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return draw_styled


def format_log_axis(axis: Axis, digits: Sequence[float]) -> None:
    """Label a logarithmic axis with plain numbers that begin with one of these digits."""
    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(LogLocator(subs=range(1, 10)))
    axis.set_minor_formatter(NullFormatter())


def show_image(axes: Axes, image: Images) -> None:
    """Show one image (H, W, C): grey from black for 0 to white for 1, or in its colours."""
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
    else:
        axes.imshow(image)


def escape(name: str) -> str:
    """Write a name so that matplotlib does not typeset it as a formula."""
    return name.replace("$", r"\$")


def format_image_grid(grid: npt.NDArray[Any], row_names: Sequence[str]) -> None:
    """Leave a grid of images without ticks, lines and frames, and name its rows."""
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set_visible(False)
    for axes, name in zip(grid[:, 0], row_names, strict=True):
        axes.set_ylabel(name, fontsize=11)


def add_title(figure: FigureBase, text: str) -> None:
    """Set the title at the left edge, where every other picture has it."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=13)
