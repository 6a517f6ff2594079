"""What each picture of codes shows."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cae.measures.maps import Map
from cae.pictures import codes

GENERATOR = np.random.default_rng(0)
LABELS = np.repeat(np.array([0, 1, 9], np.uint8), 4)
IMAGES = np.full((12, 4, 4, 1), 0.5, np.float32)
POINTS = (GENERATOR.random((12, 2)) * [10, 5]).astype(np.float32)
MAPS = {"pca": Map(POINTS, 0.9, 0.5), "tsne": Map(POINTS * 2, 0.99, 0.75)}
NAMES = {"cae": "our code", "pixels": "raw pixels"}
TABLE = pd.DataFrame(
    [
        {"probe": probe, "features": features, "labels_per_class": count, "mean": mean, "sd": sd}
        for probe in ("linear", "knn")
        for features, shift in (("cae", 0.0), ("pixels", -0.1))
        for count, mean, sd in (
            ("all", 0.9 + shift, float("nan")),
            ("1000", 0.8 + shift, 0.01),
            ("20", 0.6 + shift, 0.02),
        )
    ]
)
FOUND = np.array([[0, 1], [4, 0], [9, 10]])
FIRST = np.array([0, 4, 8])
ORIGINALS = np.stack([np.zeros((1, 4, 4, 1)), np.ones((1, 4, 4, 1))], axis=1).astype(np.float32)
DECODED = np.full((1, 5, 4, 4, 1), 0.25, np.float32)


def maps() -> Figure:
    return codes.maps(MAPS, LABELS, by_code=0.8, neighbours=5)


def transfer() -> Figure:
    return codes.transfer(TABLE, NAMES)


def retrieval() -> Figure:
    return codes.retrieval(IMAGES[FIRST], LABELS[FIRST], IMAGES, LABELS, FOUND)


PICTURES: dict[str, Callable[[], Figure]] = {
    "maps": maps,
    "map_of_images": lambda: codes.map_of_images(MAPS["tsne"], IMAGES, LABELS, columns=6),
    "transfer": transfer,
    "retrieval": retrieval,
    "interpolation": lambda: codes.interpolation(ORIGINALS, DECODED, np.array([[0, 9]], np.uint8)),
}


def test_maps_show_every_image_in_the_colour_of_its_class() -> None:
    for axes, found in zip(maps().axes, MAPS.values(), strict=True):
        (dots,) = axes.collections
        assert np.asarray(dots.get_offsets()) == pytest.approx(found.points)
        drawn = [to_hex(shade[:3]).upper() for shade in np.asarray(dots.get_facecolor())]
        assert drawn == [codes.colour(int(label)).upper() for label in LABELS]


def test_maps_have_equal_scales_and_leave_no_point_outside() -> None:
    for axes in maps().axes:
        left, right = axes.get_xlim()
        low, high = axes.get_ylim()
        assert right - left == pytest.approx(high - low)
        offsets = np.asarray(axes.collections[0].get_offsets())
        assert (offsets > [left, low]).all()
        assert (offsets < [right, high]).all()


def test_maps_tell_how_good_they_are_beside_the_code_itself() -> None:
    figure = maps()
    assert figure.get_suptitle().startswith("Codes of 12 test images. Class by the 5 nearest: 80.0% right")
    assert "80.0% right" in figure.get_suptitle()
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "PCA: 50.0% right by the map; trustworthiness 0.900",
        "t-SNE: 75.0% right by the map; trustworthiness 0.990",
    ]


def test_every_class_is_named_on_a_map() -> None:
    for axes in maps().axes:
        assert [text.get_text() for text in axes.texts] == ["T-shirt/top", "Trouser", "Ankle boot"]


def test_names_that_would_collide_are_lifted_and_others_stay() -> None:
    places = np.array([[0.5, 0.5], [0.55, 0.51], [0.5, 0.9], [0.9, 0.5]], np.float32)
    moved = codes.apart(places, width=0.2, height=0.1)
    assert moved == pytest.approx(np.array([[0.5, 0.5], [0.55, 0.6], [0.5, 0.9], [0.9, 0.5]]))


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=10).map(
        lambda pairs: (np.array(pairs) / 100).astype(np.float32)
    )
)
def test_no_two_names_collide(places: np.ndarray) -> None:
    moved = codes.apart(places, width=0.25, height=0.05)
    assert np.array_equal(moved[:, 0], places[:, 0])
    for index, one in enumerate(moved):
        for other in moved[:index]:
            x, y = np.abs(one - other)
            assert x >= 0.25 or y >= 0.05 - 1e-5


def test_a_map_of_images_draws_the_image_nearest_the_middle_of_each_cell() -> None:
    # Two columns and one row: in the left half the second point is nearer the middle, at (1, 1).
    points = np.array([[0, 0], [0.9, 1.1], [4, 2]], np.float32)
    assert codes.nearest_to_cells(points, columns=2, rows=1) == {(0, 0): 1, (1, 0): 2}


def test_a_map_of_images_lies_as_the_map_does() -> None:
    # Ink of class 0 at the low left corner, of class 1 at the high right one; white elsewhere.
    points = np.array([[0, 0], [2, 2]], np.float32)
    images = np.ones((2, 4, 4, 1), np.float32)
    figure = codes.map_of_images(Map(points, 1, 1), images, np.array([0, 1], np.uint8), columns=2)
    canvas = np.asarray(figure.axes[0].get_images()[0].get_array())
    assert canvas.shape == (8, 8, 3)
    assert to_hex(canvas[7, 0]) == codes.colour(0).lower()
    assert to_hex(canvas[0, 7]) == codes.colour(1).lower()
    assert to_hex(canvas[0, 0]) == to_hex(canvas[7, 7]) == "#ffffff"


def test_transfer_draws_accuracy_by_labels_fewest_first() -> None:
    linear, knn = transfer().axes
    assert [axes.get_title(loc="left") for axes in (linear, knn)] == ["Linear probe", "Nearest neighbours"]
    ours = linear.containers[0].lines[0]  # type: ignore[attr-defined]  # ErrorbarContainer
    assert ours.get_xdata().tolist() == [0, 1, 2]
    assert ours.get_ydata() == pytest.approx([60, 80, 90])
    linear.figure.draw_without_rendering()  # type: ignore[union-attr]  # never None here
    assert [label.get_text() for label in linear.get_xticklabels()] == ["20", "1,000", "all"]


def test_transfer_names_every_kind_of_features() -> None:
    (legend,) = transfer().legends
    assert [text.get_text() for text in legend.get_texts()] == ["our code", "raw pixels"]


def test_retrieval_shows_queries_above_their_neighbours_and_names_the_wrong_ones() -> None:
    grid = np.array(retrieval().axes).reshape(3, 3)
    assert [axes.get_title() for axes in grid[0]] == ["T-shirt/top", "Trouser", "Ankle boot"]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["test image", "nearest 1", "nearest 2"]
    named = {
        (row, column): axes.texts[0].get_text() for (row, column), axes in np.ndenumerate(grid) if axes.texts
    }
    # Of all neighbours only the second of the trouser, image 0, has another class.
    assert named == {(2, 1): "T-shirt/top"}
    assert grid[2, 1].spines["left"].get_visible()
    assert not grid[1, 1].spines["left"].get_visible()


def test_interpolation_shows_the_decoded_codes_above_the_mixed_pixels() -> None:
    (panel,) = PICTURES["interpolation"]().subfigs
    grid = np.array(panel.axes).reshape(2, 5)
    shown = [[float(np.mean(axes.get_images()[0].get_array())) for axes in line] for line in grid]
    assert shown[0] == pytest.approx([0.25] * 5)
    assert shown[1] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert (grid[0, 0].get_title(), grid[0, -1].get_title()) == ("T-shirt/top", "Ankle boot")


def test_the_first_image_of_each_class_is_taken() -> None:
    assert codes.first_of_each_class(np.array([3, 1, 3, 0, 1], np.uint8)).tolist() == [3, 1, 0]


@pytest.mark.parametrize(("available", "expected"), [(10, [[0, 1], [2, 3]]), (3, [[0, 1]]), (1, [])])
def test_pairs_are_as_many_as_there_are(available: int, expected: list[list[int]]) -> None:
    assert codes.pairs(np.arange(available), 2).tolist() == expected
