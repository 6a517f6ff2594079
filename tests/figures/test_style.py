"""Every figure has our style, readable texts, and the same bytes whatever settings the user has."""

import io
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from benchmarks import report
from tests.benchmarks import test_benchmarks
from tests.figures import test_anomalies, test_codes, test_embeddings, test_reconstructions

FIGURES: dict[str, Callable[[], Figure]] = {
    f"{module.__name__.removeprefix('tests.figures.test_')}: {name}": draw
    for module in (test_reconstructions, test_codes, test_embeddings, test_anomalies)
    for name, draw in module.FIGURES.items()
} | {
    f"benchmarks: {chart.__name__}": partial(chart, test_benchmarks.RESULTS)
    for chart in (report.plot_epoch_seconds, report.plot_time_to_target)
}
every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)


def render(figure: Figure) -> bytes:
    with io.BytesIO() as buffer:
        figure.savefig(buffer, metadata={"Software": None})
        return buffer.getvalue()


@every_figure
def test_a_figure_has_the_same_bytes_whatever_style_the_user_has(draw: Callable[[], Figure]) -> None:
    first = render(draw())
    users: dict[Any, Any] = {
        "font.size": 30,
        "axes.facecolor": "black",
        "xtick.color": "red",
        "savefig.dpi": 300,
    }
    with mpl.rc_context(users):
        before = dict(mpl.rcParams)
        assert render(draw()) == first
        assert dict(mpl.rcParams) == before


@every_figure
def test_a_figure_is_960_pixels_wide_on_white(draw: Callable[[], Figure]) -> None:
    figure = draw()
    assert figure.get_figwidth() * figure.dpi == 960
    assert figure.get_facecolor() == (1, 1, 1, 1)


def find_text_boxes(figure: Figure) -> Iterator[tuple[str, Bbox]]:
    """Find the boxes of titles, names of axes and legends, but not of names among the data."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    legends = figure.findobj(Legend)
    inside = {text for legend in legends for text in legend.findobj(Text)}
    for axis in figure.findobj(Axis):
        ticks = axis.get_major_ticks() + axis.get_minor_ticks()
        inside |= {text for tick in ticks for text in tick.findobj(Text)} | {axis.offsetText}
    for axes in figure.findobj(Axes):
        inside |= set(axes.texts)
    for text in set(figure.findobj(Text)) - inside:
        if text.get_visible() and text.get_text().strip():
            yield text.get_text(), text.get_window_extent(renderer)
    for legend in figure.legends:
        yield "legend", legend.get_window_extent(renderer)


@every_figure
def test_texts_are_whole_and_do_not_overlap(draw: Callable[[], Figure]) -> None:
    figure = draw()
    render(figure)
    boxes = list(find_text_boxes(figure))
    assert boxes
    for name, box in boxes:
        assert box.x0 >= -1, name
        assert box.y0 >= -1, name
        assert box.x1 <= figure.bbox.x1 + 1, name
        assert box.y1 <= figure.bbox.y1 + 1, name
    for (name, one), (other_name, other) in combinations(boxes, 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(width, height) < 2, (name, other_name)


@every_figure
def test_logarithmic_axes_say_so(draw: Callable[[], Figure]) -> None:
    figure = draw()
    words = " ".join(name for name, _ in find_text_boxes(figure))
    scales = {axis.get_scale() for axis in figure.findobj(Axis)}
    assert ("logarithmic" in words) == ("log" in scales)
