"""Test images in the plane by their codes; each point shows its image and what comes back from its code."""

from typing import Any

import numpy as np
from bokeh.models import (
    CDSView,
    CheckboxGroup,
    ColumnDataSource,
    GlyphRenderer,
    GroupFilter,
    HoverTool,
    Select,
    Slider,
)
from bokeh.plotting import figure

from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.splits import draw_indices
from cae.metrics import embeddings, quality
from cae.networks.autoencoder import predict
from report.charts import STYLES, build_chart, connect, place_legend, write_part
from report.networks import DEFAULT, PREPARED, RESIDUAL, SELF_SUPERVISED, load_network
from report.sprites import COLUMNS
from stages.runner.project import Project, Results

NETWORKS = {"default": DEFAULT, "residual": RESIDUAL, "self-supervised": SELF_SUPERVISED}
SIZE = 56  # pixels of an image in a tooltip
TOOLTIP = "".join(
    f"<span style='display: inline-block; width: {SIZE}px; height: {SIZE}px; background: var(--{sheet}) "
    f"-@{{left}}px -@{{top}}px / {COLUMNS * SIZE}px auto; margin-right: 3px'></span>"
    for sheet in ("embedding-images", "embedding-@{network}")
)
HEIGHT = 560
# The styles of classes: those of upper garments, which are hard to tell apart, differ most.
ORDER = ("blue", "black", "vermilion", "grey", "green", "amber", "pink", "light blue", "wine", "olive")


class Settings(Section):
    """What the stage reads of params.yaml."""

    embedding: embeddings.Settings


def embedding(project: Project, settings: Settings) -> Results:
    """Return the chart of the embedded test images, and its sheets of images."""
    folder = project.path(PREPARED)
    images, labels = prepared.read_all_images(folder), prepared.read_labels(folder, "test")
    names = prepared.read_class_names(folder)
    chosen = settings.embedding
    count = min(chosen.images, len(labels))
    indices = draw_indices(len(labels), {"sample": count}, chosen.seed)["sample"]
    shown = images.test[indices]
    sheets = {"embedding-images": shown[..., 0]}
    data: dict[str, Any] = {"label": [names[label] for label in labels[indices]], "network": [0] * count}
    data["image"] = np.arange(count, dtype=np.int32)
    data["top"], data["left"] = SIZE * np.array(np.divmod(np.arange(count, dtype=np.int32), COLUMNS))
    accuracies = []
    for at, path in enumerate(NETWORKS.values()):
        network = load_network(project, path, shown)
        codes = network.encode(shown)
        start = embeddings.embed_by_pca(network.encode(images.train), codes)
        points = embeddings.embed_by_tsne(codes, start, chosen)
        placed = embeddings.measure(points, codes, labels[indices], chosen.neighbours)
        accuracies.append(placed.accuracy)
        sheets[f"embedding-{at}"] = (reconstructions := predict(network.network, shown))[..., 0]
        data[f"x{at}"], data[f"y{at}"] = points.astype(np.float32).T
        data[f"error{at}"] = quality.mse(shown, reconstructions).astype(np.float32)
    # Those of the network that is shown, at first the default.
    data |= {name: data[f"{name}0"] for name in ("x", "y", "error")}
    source, marked = ColumnDataSource(data), ColumnDataSource({"x": [], "y": []})
    chart, renderers = plot_classes(source, names)
    chart.scatter("x", "y", source=marked, size=18, fill_color=None, line_color="black", line_width=3)
    network = Select(title="network", options=list(NETWORKS), value="default")
    classes = CheckboxGroup(labels=list(names), active=list(range(len(names))), inline=True)
    classes.update(sizing_mode="stretch_width", stylesheets=[":host > * { flex-wrap: wrap; }"])
    image = Slider(start=0, end=count - 1, value=0, step=1, title=f"image, 0 to {count - 1}, circled above")
    arguments = {"source": source, "points": renderers, "marked": marked}
    arguments |= {"accuracies": accuracies, "neighbours": chosen.neighbours}
    arguments |= {"network": network, "classes": classes, "image": image}
    controls = {network: "value", classes: "active", image: "value"}
    layout = connect("embedding", controls, arguments, [network, classes, chart, image])
    return write_part("embedding", [layout], sheets)


def plot_classes(source: ColumnDataSource, names: tuple[str, ...]) -> tuple[figure, list[GlyphRenderer]]:
    """Plot the points of each class in its colour and with its marker; return the chart and the points."""
    chart = build_chart("", "", "")
    chart.axis.visible = chart.grid.visible = False
    points = []
    for name, style in zip(names, ORDER, strict=False):
        view = CDSView(filter=GroupFilter(column_name="label", group=name))
        look = dict(zip(("color", "marker"), STYLES[style], strict=True), alpha=0.7)
        points.append(chart.scatter("x", "y", source=source, view=view, size=6, legend_label=name, **look))
    tooltips = f"{TOOLTIP}<div>@label: image @image, and its reconstruction<br>MSE @error{{0.0000}}</div>"
    chart.add_tools(HoverTool(renderers=points, tooltips=tooltips, limit=1))
    place_legend(chart, columns=3)
    # Checkboxes, which the keyboard reaches, hide classes.
    chart.legend.click_policy = "none"
    chart.height = HEIGHT
    return chart, points
