"""Scores of normal and anomalous images, and what a threshold catches, misses, and reports by mistake."""

from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.models import ColumnDataSource, Select, Slider, Span

from cae.core import files
from cae.datasets import prepared
from report.charts import STYLES, build_chart, connect, place_legend, write_part
from stages.runner.project import Project, Results

STUDY = "../studies/industrial"
TITLES = {
    "segmentation": "segmentation, learned from other drawn defects",
    "local": "local features",
    "reconstruction": "reconstruction error",
    "nearest": "nearest codes",
    "PCA": "baseline: error of PCA",
    "nearest neighbour": "baseline: nearest image",
    "mean image": "baseline: mean image",
}
NORMAL = "good"  # the class of normal images
BINS = 40
# Steps of the slider from its start to its end.
STEPS = 500
# Images on either side of the threshold.
SHOWN = 8


def anomalies(project: Project) -> Results:
    """Return the distribution of scores, the test images, and the controls."""
    scores = files.read_csv(project.path(f"{STUDY}/data/scores.csv"))
    detection = files.read_csv(project.path(f"{STUDY}/tables") / "detection.csv").set_index("method")
    images = prepared.read_images(project.path(f"{STUDY}/data/prepared"), "test")
    anomalous = scores["class"].to_numpy() != NORMAL
    histograms = {
        name: compute_histogram(scores[name].to_numpy(), anomalous, float(detection["threshold"][name]))
        for name in TITLES
    }
    name, first = next(iter(histograms.items()))
    columns = {column: first[column] for column in ("left", "right", "normal", "anomalous")}
    histogram = ColumnDataSource(columns, tags=[name])
    chart = build_chart("Scores of test images", "anomaly score", "% of all normal, of all anomalous")
    chart.y_range.start = 0
    for kind, style in (("anomalous", "vermilion"), ("normal", "blue")):
        look = {"color": STYLES[style][0], "fill_alpha": 0.4, "legend_label": f"{kind} images"}
        chart.quad("left", "right", kind, 0, source=histogram, **look)
    line = Span(location=0, dimension="height", line_width=3, line_color="black")
    chart.add_layout(line)
    place_legend(chart)
    method = Select(title="score", options=list(TITLES.values()), value=TITLES[name])
    threshold = Slider(
        start=first["left"][0],
        end=first["right"][-1],
        value=first["threshold"],
        step=first["step"],
        format="0[.]0000",
        title="threshold",
    )
    arguments = {
        "method": method,
        "threshold": threshold,
        "line": line,
        "histogram": histogram,
        "titles": TITLES,
        "all": {name: scores[name].tolist() for name in TITLES},
        "anomalous": anomalous.tolist(),
        "classes": scores["class"].tolist(),
        "histograms": histograms,
        "aurocs": {name: float(detection["auroc"][name]) for name in TITLES},
        "shown": SHOWN,
    }
    controls = dict.fromkeys((method, threshold), "value")
    layout = connect("anomalies", controls, arguments, [method, threshold, chart])
    return write_part("anomalies", [layout], {"anomalies-images": images[..., 0]})


def compute_histogram(
    scores: npt.NDArray[np.float64], anomalous: npt.NDArray[np.bool_], threshold: float
) -> dict[str, Any]:
    """Return the histogram of scores of both kinds of images, in %, and the threshold and its steps."""
    edges = np.linspace(scores.min(), scores.max(), BINS + 1)
    columns = {"left": edges[:-1], "right": edges[1:]} | {
        kind: 100 * np.histogram(scores[part], edges)[0] / part.sum()
        for kind, part in (("normal", ~anomalous), ("anomalous", anomalous))
    }
    step = float(edges[-1] - edges[0]) / STEPS
    return {name: part.tolist() for name, part in columns.items()} | {"threshold": threshold, "step": step}
