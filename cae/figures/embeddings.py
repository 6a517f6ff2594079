"""Figures of codes in the plane.

No ten colours differ under every colour blindness, so the name of each class is also written at its points.
The colours are Paul Tol's "muted" scheme of nine, the two palest of them darker, and a grey.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from cae.core.arrays import Images, Labels
from cae.figures.style import WIDTH, StyledFigure, add_title, styled
from cae.metrics.embeddings import Embedding

Points = npt.NDArray[np.floating]
"""(N, 2)."""
CLASS_COLOURS = (
    "#332288",
    "#56B0E0",
    "#44AA99",
    "#117733",
    "#999933",
    "#CCA93A",
    "#CC6677",
    "#882255",
    "#AA4499",
    "#777777",
)


def get_class_colour(label: int) -> str:
    """Return the colour of a class; after the tenth class the colours repeat."""
    return CLASS_COLOURS[label % len(CLASS_COLOURS)]


@styled
def plot_embeddings(
    embeddings: Mapping[str, Embedding],
    labels: Labels,
    class_names: Sequence[str],
    code_accuracy: float | None,
    neighbours: int,
) -> Figure:
    """Plot embeddings of the same codes side by side, a dot for each image in the colour of its class.

    `code_accuracy` is the leave-one-out accuracy of k-NN on the codes, which an embedding can hardly exceed;
    None where the images have no classes.
    """
    # Height of a panel by its width.
    shape = 1.0 if len(embeddings) > 1 else 0.6
    figure = StyledFigure(figsize=(WIDTH, 5.8 if len(embeddings) > 1 else 6.6))
    figure.set_layout_engine("constrained", h_pad=0.1)
    code_text = "" if code_accuracy is None else f"; {neighbours}-NN accuracy on the code {code_accuracy:.1%}"
    add_title(figure, f"Embeddings of the codes of {len(labels):,} test images{code_text}")
    panels = figure.subplots(1, len(embeddings), squeeze=False)[0]
    colours = [get_class_colour(int(label)) for label in labels]
    for axes, (name, (points, trustworthiness, accuracy)) in zip(panels, embeddings.items(), strict=True):
        axes.scatter(*points.T, c=colours, s=6 if len(points) > 1000 else 10, linewidths=0, alpha=0.7)
        class_text = ""
        if code_accuracy is not None:
            label_classes(axes, points, labels, class_names)
            class_text = f"{neighbours}-NN accuracy {accuracy:.1%}, "
        axes.set_title(f"{name} embedding\n{class_text}trustworthiness {trustworthiness:.3f}", fontsize=12)
        low, high = points.min(axis=0), points.max(axis=0)
        # Equal scales in a box that the points just fill.
        middle = (low + high) / 2
        reach = 0.52 * max(shape * (high - low)[0], (high - low)[1]) or 1.0
        axes.set(xlim=middle[0] + [-reach / shape, reach / shape], ylim=middle[1] + [-reach, reach])
        axes.set(xticks=[], yticks=[], box_aspect=shape)
        axes.spines[:].set(visible=True, color="#CCCCCC")
    return figure


def label_classes(axes: Axes, points: Points, labels: Labels, class_names: Sequence[str]) -> None:
    """Write the name of each class at the median of its points, higher where names would overlap."""
    classes = np.unique(labels)
    span = (points.max(axis=0) - points.min(axis=0)).max() or 1.0
    medians = np.stack([np.median(points[labels == label], axis=0) for label in classes])
    for label, position in zip(classes, separate_labels(medians / span) * span, strict=True):
        axes.annotate(
            class_names[label],
            position,
            ha="center",
            va="center",
            fontsize=11,
            weight="bold",
            color=0.6 * np.array(to_rgb(get_class_colour(label))),
            path_effects=[withStroke(linewidth=3.5, foreground="white")],
        )


def separate_labels(positions: Points, width: float = 0.25, height: float = 0.05) -> Points:
    """Lift positions (N, 2), from the lowest up, until no two are within both `width` and `height`."""
    placed: list[Points] = []
    moved = positions.copy()
    for index in np.argsort(positions[:, 1], kind="stable"):
        for other in sorted(placed, key=lambda position: float(position[1])):
            x, y = np.abs(moved[index] - other)
            if x < width and y < height:
                moved[index, 1] = other[1] + height
        placed.append(moved[index])
    return moved


@styled
def plot_images_by_embedding(
    points: Points,
    images: Images,
    labels: Labels,
    class_names: Sequence[str],
    columns: int = 34,
) -> Figure:
    """Show images (N, H, W, C) at the points of their t-SNE embedding, on a grid `columns` wide.

    A cell of the grid shows the image with the point nearest to its middle: grey images in the colour of
    their class on white, others as they are.
    """
    # A cell is about 28 pixels wide in the figure.
    step = max(1, max(images.shape[1:3]) // 28)
    images = images[:, ::step, ::step]
    height, width = images.shape[1:3]
    tinted, several = images.shape[-1] == 1, len(class_names) > 1
    low, high = points.min(axis=0), points.max(axis=0)
    rows = max(1, round(columns * float((high - low)[1] / (high - low)[0])))
    canvas = np.ones((rows * height, columns * width, 3))
    for (column, row), index in find_nearest_to_cells(points, columns, rows).items():
        cell = images[index].astype(np.float64)
        if tinted:
            cell = (1 - cell) + cell * to_rgb(get_class_colour(labels[index]))
        top = (rows - 1 - row) * height
        canvas[top : top + height, column * width : (column + 1) * width] = cell
    figure = StyledFigure(figsize=(WIDTH, WIDTH * rows / columns + 0.4))
    coloured = ", coloured by class" if tinted and several else ""
    add_title(figure, f"t-SNE embedding of the codes: test images at their positions{coloured}")
    axes = figure.subplots()
    axes.imshow(canvas, extent=(low[0], high[0], low[1], high[1]), aspect="auto")
    if several:
        label_classes(axes, points, labels, class_names)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return figure


def find_nearest_to_cells(points: Points, columns: int, rows: int) -> dict[tuple[int, int], int]:
    """Cut the rectangle of the points into cells: (column, row) → index of the point nearest to the middle.

    Columns and rows count from the lower left; cells without a point are left out.
    """
    span = points.max(axis=0) - points.min(axis=0)
    positions = (points - points.min(axis=0)) / span * [columns, rows]
    cells = np.minimum(positions.astype(int), [columns - 1, rows - 1])
    distances = np.square(positions - cells - 0.5).sum(axis=1)
    nearest: dict[tuple[int, int], int] = {}
    # From the farthest to the nearest: the last point of each cell stays.
    for index in np.argsort(-distances, kind="stable"):
        nearest[int(cells[index, 0]), int(cells[index, 1])] = int(index)
    return nearest
