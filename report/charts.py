"""Turns charts and controls of Bokeh into a part of the page, the same bytes on every run."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.document import Document
from bokeh.embed import components
from bokeh.events import DocumentReady
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, CustomJS, Div, HoverTool, UIElement
from bokeh.plotting import figure

from cae.core import files
from report.sprites import write_style
from stages.runner.project import Results

HERE = Path(__file__).parent
# The colours of Okabe and Ito and two of Tol, which differ under colour blindness; markers differ, too.
STYLES = {
    "blue": ("#0072B2", "circle"),
    "vermilion": ("#D55E00", "square"),
    "green": ("#009E73", "triangle"),
    "grey": ("#6B6B6B", "diamond"),
    "pink": ("#CC79A7", "inverted_triangle"),
    "amber": ("#E69F00", "star"),
    "light blue": ("#56B4E9", "hex"),
    "black": ("#000000", "plus"),
    "wine": ("#882255", "x"),
    "olive": ("#999933", "square_pin"),
}
# Styles of what several charts show.
RESIDUAL, DEFAULT, SELF_SUPERVISED, PCA = "blue", "vermilion", "green", "grey"
HEIGHT = 420
# Identifiers of Bokeh: random ones, and those that count all models of the process.
IDENTIFIER = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=")p[0-9]{4,}(?=")')


def write_part(
    name: str, layouts: Sequence[UIElement], sheets: Mapping[str, npt.NDArray[np.floating]] | None = None
) -> Results:
    """Return the result of a part's stage: its sheets of images (N, H, W), and what shows the layouts."""
    style = "".join(write_style(sheet, images) for sheet, images in (sheets or {}).items())
    shown = "\n".join(f"{division}\n{script}" for script, division in map(components, layouts))
    content = number_identifiers(name, f"<style>{style}</style>\n{shown}\n")
    return {f"parts/{name}.html": partial(files.write_bytes, content=content.encode())}


def number_identifiers(name: str, text: str) -> str:
    """Replace the identifiers of Bokeh by NAME-1, NAME-2, … in the order of the text."""
    numbers: dict[str, int] = {}
    return IDENTIFIER.sub(lambda found: f"{name}-{numbers.setdefault(found[0], len(numbers) + 1)}", text)


def build_chart(title: str, x: str, y: str, **options: Any) -> figure:
    """Build an empty chart as wide as the page, without tools: a finger on it scrolls the page."""
    chart = figure(
        title=title,
        x_axis_label=x,
        y_axis_label=y,
        height=HEIGHT,
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
        **options,
    )
    chart.title.text_font_size = "14px"
    for axis in chart.axis:
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "13px"
    chart.grid.grid_line_color = "#E3E3E3"
    chart.outline_line_color = None
    return chart


def add_series(
    chart: figure,
    style: str,
    title: str,
    x: Sequence[Any],
    y: Sequence[Any],
    pattern: str,
    dash: str = "solid",
) -> None:
    """Draw a line with markers, in one of STYLES; pointing at a marker shows its numbers."""
    colour, marker = STYLES[style]
    source = ColumnDataSource({"x": x, "y": y, "title": [title] * len(x)})
    look = {"source": source, "legend_label": title, "color": colour}
    chart.line("x", "y", line_width=2, line_dash=dash, **look)
    points = chart.scatter("x", "y", size=9, marker=marker, **look)
    labels = [str(axis.axis_label) for axis in (chart.xaxis[0], chart.yaxis[0])]
    tooltips = [("", "@title"), (labels[0], "@x"), (labels[1], f"@y{{{pattern}}}")]
    chart.add_tools(HoverTool(renderers=[points], tooltips=tooltips))


def place_legend(chart: figure, columns: int = 1) -> None:
    """Put the legend below a chart, where it fits a narrow page; a click hides what it names."""
    legend = chart.legend[0]
    chart.add_layout(legend, "below")
    legend.ncols, legend.click_policy, legend.location = columns, "hide", "left"
    legend.label_text_font_size, legend.border_line_color, legend.padding = "13px", None, 0
    chart.height = HEIGHT + 24 * -(-len(legend.items) // columns)


def connect(
    name: str,
    controls: Mapping[UIElement, str],
    arguments: Mapping[str, Any],
    layout: Sequence[UIElement],
) -> UIElement:
    """Return a column of elements, and below them what the script NAME.js writes.

    Args:
        name: of the script, which runs at the start and whenever a control changes.
        controls: each with the property that is watched.
        arguments: variables of the script; `view` is another one, whose text it sets.
        layout: the elements, with the controls.
    """
    view = Div(sizing_mode="stretch_width")
    script = CustomJS(args={**arguments, "view": view}, code=(HERE / f"{name}.js").read_text("utf-8"))
    for control, changed in controls.items():
        control.js_on_change(changed, script)
    root = column(*layout, view, sizing_mode="stretch_width")
    document = Document()
    document.add_root(root)
    document.js_on_event(DocumentReady, script)
    return root
