"""What each map of codes shows."""

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
MAPS = {"pca": Embedding(POINTS, 0.9, 0.5), "tsne": Embedding(POINTS * 2, 0.99, 0.75)}


def drawn() -> Figure:
    return embeddings.plot_embeddings(MAPS, LABELS, CLASS_NAMES, by_code=0.8, neighbours=5)


PICTURES: dict[str, Callable[[], Figure]] = {
    "maps": drawn,
    "map_of_images": lambda: embeddings.plot_images_by_embedding(
        POINTS, IMAGES, LABELS, CLASS_NAMES, columns=6
    ),
}


def test_maps_show_every_image_in_the_colour_of_its_class() -> None:
    for axes, (points, _, _) in zip(drawn().axes, MAPS.values(), strict=True):
        (dots,) = axes.collections
        assert np.asarray(dots.get_offsets()) == pytest.approx(points)
        shades = [to_hex(shade[:3]).upper() for shade in np.asarray(dots.get_facecolor())]
        assert shades == [embeddings.get_class_colour(int(label)).upper() for label in LABELS]


def test_maps_have_equal_scales_and_leave_no_point_outside() -> None:
    for axes in drawn().axes:
        left, right = axes.get_xlim()
        low, high = axes.get_ylim()
        assert right - left == pytest.approx(high - low)
        offsets = np.asarray(axes.collections[0].get_offsets())
        assert (offsets > [left, low]).all()
        assert (offsets < [right, high]).all()


def test_maps_tell_how_good_they_are_beside_the_code_itself() -> None:
    figure = drawn()
    assert figure.get_suptitle().startswith("Codes of 12 test images. Class by the 5 nearest: 80.0% right")
    assert "80.0% right" in figure.get_suptitle()
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "PCA: 50.0% right by the map; trustworthiness 0.900",
        "t-SNE: 75.0% right by the map; trustworthiness 0.990",
    ]


def test_every_class_is_named_on_a_map() -> None:
    for axes in drawn().axes:
        assert [text.get_text() for text in axes.texts] == ["T-shirt/top", "Trouser", "Ankle boot"]


def test_names_that_would_collide_are_lifted_and_others_stay() -> None:
    places = np.array([[0.5, 0.5], [0.55, 0.51], [0.5, 0.9], [0.9, 0.5]], np.float32)
    moved = embeddings.separate_labels(places, width=0.2, height=0.1)
    assert moved == pytest.approx(np.array([[0.5, 0.5], [0.55, 0.6], [0.5, 0.9], [0.9, 0.5]]))


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=10).map(
        lambda pairs: (np.array(pairs) / 100).astype(np.float32)
    )
)
def test_no_two_names_collide(places: np.ndarray) -> None:
    moved = embeddings.separate_labels(places, width=0.25, height=0.05)
    assert np.array_equal(moved[:, 0], places[:, 0])
    for index, one in enumerate(moved):
        for other in moved[:index]:
            x, y = np.abs(one - other)
            assert x >= 0.25 or y >= 0.05 - 1e-5


def test_a_map_of_images_draws_the_image_nearest_the_middle_of_each_cell() -> None:
    # Two columns and one row: in the left half the second point is nearer the middle, at (1, 1).
    points = np.array([[0, 0], [0.9, 1.1], [4, 2]], np.float32)
    assert embeddings.find_nearest_to_cells(points, columns=2, rows=1) == {(0, 0): 1, (1, 0): 2}


def test_a_map_of_images_lies_as_the_map_does() -> None:
    # Ink of class 0 at the low left corner, of class 1 at the high right one; white elsewhere.
    points = np.array([[0, 0], [2, 2]], np.float32)
    images = np.ones((2, 4, 4, 1), np.float32)
    figure = embeddings.plot_images_by_embedding(
        points, images, np.array([0, 1], np.uint8), CLASS_NAMES, columns=2
    )
    canvas = np.asarray(figure.axes[0].get_images()[0].get_array())
    assert canvas.shape == (8, 8, 3)
    assert to_hex(canvas[7, 0]) == embeddings.get_class_colour(0).lower()
    assert to_hex(canvas[0, 7]) == embeddings.get_class_colour(1).lower()
    assert to_hex(canvas[0, 0]) == to_hex(canvas[7, 7]) == "#ffffff"
