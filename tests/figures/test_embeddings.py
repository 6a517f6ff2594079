"""Embeddings show every image at its place, in the colour and under the name of its class."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cae.figures import embeddings
from cae.metrics.embeddings import Embedding
from tests.default import CLASS_NAMES

LABELS = np.repeat(np.array([0, 1, 9], np.uint8), 4)
IMAGES = np.full((12, 4, 4, 1), 0.5, np.float32)
POINTS = (np.random.default_rng(0).random((12, 2)) * [10, 5]).astype(np.float32)
TWO = {"PCA": Embedding(POINTS, 0.9, 0.5), "t-SNE": Embedding(POINTS * 2, 0.99, 0.75)}
ONE = {"PCA": TWO["PCA"]}


def plot(drawn: dict[str, Embedding]) -> Figure:
    return embeddings.plot_embeddings(drawn, LABELS, CLASS_NAMES, code_accuracy=0.8, neighbours=5)


FIGURES: dict[str, Callable[[], Figure]] = {
    "two": lambda: plot(TWO),
    "one": lambda: plot(ONE),
    "images": lambda: embeddings.plot_images_by_embedding(POINTS, IMAGES, LABELS, CLASS_NAMES, columns=6),
}


def test_every_image_is_a_dot_in_the_colour_of_its_class() -> None:
    for axes, (points, *_) in zip(plot(TWO).axes, TWO.values(), strict=True):
        assert [text.get_text() for text in axes.texts] == ["T-shirt/top", "Trouser", "Ankle boot"]
        (dots,) = axes.collections
        assert np.asarray(dots.get_offsets()) == pytest.approx(points)
        colours = [to_hex(colour[:3]).upper() for colour in np.asarray(dots.get_facecolor())]
        assert colours == [embeddings.get_class_colour(int(label)).upper() for label in LABELS]


@pytest.mark.parametrize(("name", "shape"), [("two", 1), ("one", 0.6)])
def test_axes_have_equal_scales_and_hold_every_point(name: str, shape: float) -> None:
    for axes in FIGURES[name]().axes:
        left, right = axes.get_xlim()
        low, high = axes.get_ylim()
        assert high - low == pytest.approx(shape * (right - left))
        points = np.asarray(axes.collections[0].get_offsets())
        assert ((points > [left, low]) & (points < [right, high])).all()


def test_titles_say_how_good_embeddings_are() -> None:
    figure = plot(TWO)
    title = "Embeddings of the codes of 12 test images; 5-NN accuracy on the code 80.0%"
    assert figure.get_suptitle() == title
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "PCA embedding\n5-NN accuracy 50.0%, trustworthiness 0.900",
        "t-SNE embedding\n5-NN accuracy 75.0%, trustworthiness 0.990",
    ]


@pytest.mark.parametrize("points", [POINTS, np.zeros((12, 2), np.float32)])
def test_images_without_classes_have_no_names_and_no_accuracy(points: np.ndarray) -> None:
    drawn = {"PCA": Embedding(points, 0.9, 1.0)}
    figure = embeddings.plot_embeddings(drawn, np.zeros(12, np.uint8), ["images"], None, 5)
    assert not figure.axes[0].texts
    assert "accuracy" not in figure.get_suptitle() + figure.axes[0].get_title(loc="left")


def test_names_that_would_overlap_are_lifted_and_others_stay() -> None:
    positions = np.array([[0.5, 0.5], [0.55, 0.51], [0.5, 0.9], [0.9, 0.5]], np.float32)
    moved = embeddings.separate_labels(positions, width=0.2, height=0.1)
    assert moved == pytest.approx(np.array([[0.5, 0.5], [0.55, 0.6], [0.5, 0.9], [0.9, 0.5]]))


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=10).map(
        lambda pairs: (np.array(pairs) / 100).astype(np.float32)
    )
)
def test_no_two_names_overlap(positions: np.ndarray) -> None:
    moved = embeddings.separate_labels(positions, width=0.25, height=0.05)
    assert np.array_equal(moved[:, 0], positions[:, 0])
    for index, one in enumerate(moved):
        for other in moved[:index]:
            x, y = np.abs(one - other)
            assert x >= 0.25 or y >= 0.05 - 1e-5


def test_a_cell_has_the_image_nearest_to_its_middle() -> None:
    # Two columns and one row: in the left half the second point is nearer to the middle, at (1, 1).
    points = np.array([[0, 0], [0.9, 1.1], [4, 2]], np.float32)
    assert embeddings.find_nearest_to_cells(points, columns=2, rows=1) == {(0, 0): 1, (1, 0): 2}


@pytest.mark.parametrize(
    ("channels", "colours"),
    [(1, [embeddings.get_class_colour(label) for label in (0, 1)]), (3, ["#4080c0"] * 2)],
)
def test_images_are_at_their_points_on_white(channels: int, colours: list[str]) -> None:
    # The image of class 0 is at the lower left corner, that of class 1 at the upper right one.
    points = np.array([[0, 0], [2, 2]], np.float32)
    pixel = np.ones(1) if channels == 1 else np.array([64, 128, 192]) / 255
    images = np.broadcast_to(pixel.astype(np.float32), (2, 4, 4, channels))
    figure = embeddings.plot_images_by_embedding(
        points, images, np.array([0, 1], np.uint8), CLASS_NAMES, columns=2
    )
    canvas = np.asarray(figure.axes[0].get_images()[0].get_array())
    assert canvas.shape == (8, 8, 3)
    assert [to_hex(canvas[7, 0]), to_hex(canvas[0, 7])] == [colour.lower() for colour in colours]
    assert to_hex(canvas[0, 0]) == to_hex(canvas[7, 7]) == "#ffffff"
