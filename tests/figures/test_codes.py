"""Figures of codes show the right accuracies and images."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cae.figures import codes
from tests.default import CLASS_NAMES

LABELS = np.repeat(np.array([0, 1, 9], np.uint8), 4)
IMAGES = np.full((12, 4, 4, 1), 0.5, np.float32)
TABLE = pd.DataFrame(
    [
        {"probe": probe, "features": features, "labels_per_class": count, "mean": mean, "sd": sd}
        for probe in ("linear", "knn")
        for features, shift in (("code", 0.0), ("pixels", -0.1))
        for count, mean, sd in (
            ("all", 0.9 + shift, float("nan")),
            ("1000", 0.8 + shift, 0.01),
            ("20", 0.6 + shift, 0.02),
        )
    ]
)
NEAREST = np.array([[0, 1], [4, 0], [9, 10]])
FIRST = np.array([0, 4, 8])
ORIGINALS = np.stack([np.zeros((1, 4, 4, 1)), np.ones((1, 4, 4, 1))], axis=1).astype(np.float32)
DECODED = np.full((1, 5, 4, 4, 1), 0.25, np.float32)

FIGURES: dict[str, Callable[[], Figure]] = {
    "probe_accuracy": lambda: codes.plot_probe_accuracy(TABLE, {"code": "our code", "pixels": "raw pixels"}),
    "nearest": lambda: codes.plot_nearest(IMAGES[FIRST], LABELS[FIRST], IMAGES, LABELS, NEAREST, CLASS_NAMES),
    "interpolation": lambda: codes.plot_interpolation(
        ORIGINALS, DECODED, np.array([[0, 9]], np.uint8), CLASS_NAMES
    ),
}


def test_probe_accuracy_is_plotted_by_labels_fewest_first() -> None:
    figure = FIGURES["probe_accuracy"]()
    linear, neighbours = figure.axes
    titles = [axes.get_title(loc="left") for axes in (linear, neighbours)]
    assert titles == ["Linear probe", "k-nearest neighbours"]
    ours = linear.containers[0].lines[0]  # type: ignore[attr-defined]  # ErrorbarContainer
    assert ours.get_xdata().tolist() == [0, 1, 2]
    assert ours.get_ydata() == pytest.approx([60, 80, 90])
    figure.draw_without_rendering()
    assert [label.get_text() for label in linear.get_xticklabels()] == ["20", "1,000", "all"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["our code", "raw pixels"]


def test_nearest_images_are_below_the_test_images_and_those_of_another_class_are_named() -> None:
    grid = np.array(FIGURES["nearest"]().axes).reshape(3, 3)
    assert [axes.get_title() for axes in grid[0]] == ["T-shirt/top", "Trouser", "Ankle boot"]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["test image", "nearest 1", "nearest 2"]
    named = {place: axes.texts[0].get_text() for place, axes in np.ndenumerate(grid) if axes.texts}
    # Only the second neighbour of the trouser, image 0, is of another class.
    assert named == {(2, 1): "T-shirt/top"}
    framed = {place for place, axes in np.ndenumerate(grid) if axes.spines["left"].get_visible()}
    assert framed == {(2, 1)}


def test_interpolation_shows_decoded_codes_above_mixed_pixels() -> None:
    (panel,) = FIGURES["interpolation"]().subfigs
    grid = np.array(panel.axes).reshape(2, 5)
    shown = [[float(np.mean(axes.get_images()[0].get_array())) for axes in line] for line in grid]
    assert shown[0] == pytest.approx([0.25] * 5)
    assert shown[1] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert (grid[0, 0].get_title(), grid[0, -1].get_title()) == ("T-shirt/top", "Ankle boot")


def test_the_first_image_of_each_class_is_found() -> None:
    assert codes.find_first_of_each_class(np.array([3, 1, 3, 0, 1], np.uint8)).tolist() == [3, 1, 0]


@pytest.mark.parametrize(("available", "expected"), [(10, [[0, 1], [2, 3]]), (3, [[0, 1]]), (1, [])])
def test_pairs_are_as_many_as_there_are(available: int, expected: list[list[int]]) -> None:
    assert codes.pair_up(np.arange(available), 2).tolist() == expected
