"""Loss by epoch of the default network, with its floor and a baseline."""

from bokeh.models import HoverTool

from cae.core import files
from report.charts import DEFAULT, PCA, STYLES, build_chart, place_legend, write_part
from stages.runner.project import Project, Results

TITLES = {"loss": ("training images", "light blue"), "val_loss": ("validation images", DEFAULT)}


def training(project: Project) -> Results:
    """Return the chart of training and validation loss."""
    history = files.read_csv(project.path("../plots/history.csv"))
    methods = files.read_csv(project.path("../plots/reconstruction.csv")).set_index("method")
    floors = files.read_csv(project.path("../data/baselines") / "floors.csv").set_index("split")
    levels = {
        "PCA, test images": (float(methods["bce"]["PCA"]), PCA),
        "default network, test images": (float(methods["bce"]["autoencoder"]), "black"),
        "floor, test images": (float(floors["floor"]["test"]), "green"),
    }
    chart = build_chart("Binary cross-entropy by epoch", "epoch", "nats per pixel")
    for column, (title, style) in TITLES.items():
        look = {"legend_label": title, "color": STYLES[style][0], "line_width": 2}
        line = chart.line(history["epoch"], history[column], **look)
        tooltips = [("epoch", "@x"), (title, "@y{0.0000}")]
        chart.add_tools(HoverTool(renderers=[line], tooltips=tooltips, mode="vline"))
    ends = history["epoch"].iloc[[0, -1]]
    for title, (level, style) in levels.items():
        look = {"legend_label": f"{title}: {level:.4f}", "color": STYLES[style][0], "line_dash": "dashed"}
        chart.line(ends, [level, level], line_width=2, **look)
    place_legend(chart)
    return write_part("training", [chart])
