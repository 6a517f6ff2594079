"""Loss by epoch of the default network, with its floor and a baseline."""

from bokeh.models import HoverTool

from cae.core import files
from report.charts import COLOURS, build_chart, place_legend, write_part
from stages.runner.project import Project, Results

TITLES = {"loss": "training images", "val_loss": "validation images"}


def training(project: Project) -> Results:
    """Return the chart of training and validation loss."""
    history = files.read_csv(project.path("../plots/history.csv"))
    methods = files.read_csv(project.path("../plots/reconstruction.csv")).set_index("method")
    floors = files.read_csv(project.path("../data/baselines") / "floors.csv").set_index("split")
    pca, floor = float(methods["bce"]["PCA"]), float(floors["floor"]["validation"])
    chart = build_chart("Binary cross-entropy by epoch", "epoch", "nats per pixel")
    for (column, title), colour in zip(TITLES.items(), COLOURS):
        look = {"legend_label": title, "color": colour, "line_width": 2}
        line = chart.line(history["epoch"], history[column], **look)
        tooltips = [("epoch", "@x"), (title, "@y{0.0000}")]
        chart.add_tools(HoverTool(renderers=[line], tooltips=tooltips, mode="vline"))
    ends = history["epoch"].iloc[[0, -1]]
    levels = {f"floor of validation images: {floor:.4f}": floor, f"PCA, test images: {pca:.4f}": pca}
    for (title, level), colour in zip(levels.items(), COLOURS[2:]):
        look = {"legend_label": title, "color": colour, "line_dash": "dashed"}
        chart.line(ends, [level, level], line_width=2, **look)
    place_legend(chart)
    return write_part("training", [chart])
