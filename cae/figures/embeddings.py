"""Pictures of codes in the plane, in the style of pictures/style.py.

Ten colours cannot all be told apart under every colour blindness, so every class is also named where it
lies. The colours are Paul Tol's "muted" scheme, made for nine, its two palest darker, and a grey.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from cae.core.arrays import Images, Labels, Rows
from cae.figures.style import WIDTH, StyledFigure, add_title, styled
from cae.metrics.embeddings import Embedding

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
    """Return the colour of a class; beyond the tenth they begin anew."""
    return CLASS_COLOURS[label % len(CLASS_COLOURS)]


@styled
def plot_embeddings(
    drawn: Mapping[str, Embedding],
    labels: Labels,
    class_names: Sequence[str],
    by_code: float | None,
    neighbours: int,
) -> Figure:
    """Draw embeddings of the same codes side by side, one dot per image, each class named at its median.

    `by_code` is the leave-one-out accuracy of k-NN on the codes themselves, which an embedding can hardly
    exceed; None where images have no classes.
    """
    figure = StyledFigure(figsize=(WIDTH, 5.5))
    accuracy_text = "" if by_code is None else f"; {neighbours}-NN accuracy on the codes {by_code:.1%}"
    add_title(figure, f"Embeddings of {len(labels):,} test images{accuracy_text}\n")
    panels = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axes, (name, (points, trustworthiness, accuracy)) in zip(panels, drawn.items(), strict=True):
        axes.scatter(*points.T, c=[get_class_colour(label) for label in labels], s=6, linewidths=0, alpha=0.7)
        label_classes(axes, points, labels, class_names)
        of_classes = "" if by_code is None else f"{neighbours}-NN accuracy {accuracy:.1%}, "
        axes.set_title(f"{name}: {of_classes}trustworthiness {trustworthiness:.3f}", fontsize=12)
        low, high = points.min(axis=0), points.max(axis=0)
        # Equal scales on a square that the points just fill.
        middle, reach = (low + high) / 2, 0.52 * (high - low).max()
        axes.set_xlim(middle[0] - reach, middle[0] + reach)
        axes.set_ylim(middle[1] - reach, middle[1] + reach)
        axes.set_box_aspect(1)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color="#CCCCCC")
    return figure


def label_classes(axes: Axes, points: Rows, labels: Labels, class_names: Sequence[str]) -> None:
    """Write the name of each class at the median of its points, or just above where names would collide."""
    classes = np.unique(labels)
    span = (points.max(axis=0) - points.min(axis=0)).max()
    places = separate_labels(
        np.stack([np.median(points[labels == label], axis=0) for label in classes]) / span
    )
    for label, place in zip(classes, places * span, strict=True):
        axes.annotate(
            class_names[label],
            place,
            ha="center",
            va="center",
            fontsize=11,
            weight="bold",
            color=0.6 * np.array(to_rgb(get_class_colour(label))),
            path_effects=[withStroke(linewidth=3.5, foreground="white")],
        )


def separate_labels(places: Rows, width: float = 0.25, height: float = 0.05) -> Rows:
    """Lift places (N, 2), from the lowest up, until no two lie within both `width` and `height`."""
    placed: list[npt.NDArray[np.float32]] = []
    moved = places.copy()
    for index in np.argsort(places[:, 1], kind="stable"):
        for other in sorted(placed, key=lambda place: float(place[1])):
            x, y = np.abs(moved[index] - other)
            if x < width and y < height:
                moved[index, 1] = other[1] + height
        placed.append(moved[index])
    return moved


@styled
def plot_images_by_embedding(
    points: Rows, images: Images, labels: Labels, class_names: Sequence[str], columns: int = 34
) -> Figure:
    """Draw test images where a map places them, points (N, 2), one a cell, the colour its class.

    Of the images in a cell the one nearest its middle is drawn.
    """
    height, width = images.shape[1:3]
    low, high = points.min(axis=0), points.max(axis=0)
    rows = max(1, round(columns * float((high - low)[1] / (high - low)[0])))
    canvas = np.ones((rows * height, columns * width, 3))
    for (column, row), index in find_nearest_to_cells(points, columns, rows).items():
        ink = images[index].astype(np.float64)
        cell = (1 - ink) + ink * to_rgb(get_class_colour(labels[index]))
        top = (rows - 1 - row) * height
        canvas[top : top + height, column * width : (column + 1) * width] = cell
    figure = StyledFigure(figsize=(WIDTH, WIDTH * rows / columns + 0.4))
    add_title(figure, "t-SNE of the codes: test images where they lie, coloured by class")
    axes = figure.subplots()
    axes.imshow(canvas, extent=(low[0], high[0], low[1], high[1]), aspect="auto")
    label_classes(axes, points, labels, class_names)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return figure


def find_nearest_to_cells(points: Rows, columns: int, rows: int) -> dict[tuple[int, int], int]:
    """Cut the plane that the points span into cells: (column, row) → index of the point nearest its middle.

    Cells count from the low corner; those without a point are left out.
    """
    span = points.max(axis=0) - points.min(axis=0)
    places = (points - points.min(axis=0)) / span * [columns, rows]
    cells = np.minimum(places.astype(int), [columns - 1, rows - 1])
    distances = np.square(places - cells - 0.5).sum(axis=1)
    nearest: dict[tuple[int, int], int] = {}
    # The farthest first: the nearest of each cell is what remains.
    for index in np.argsort(-distances, kind="stable"):
        nearest[int(cells[index, 0]), int(cells[index, 1])] = int(index)
    return nearest
