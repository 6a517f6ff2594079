"""Figures of anomaly scores and error maps show the right values."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cae.figures import anomalies, style
from cae.figures.anomalies import Example
from tests.default import CLASS_NAMES

LABELS = np.repeat(np.arange(3, dtype=np.uint8), 8)
IMAGES = np.broadcast_to(np.linspace(0, 1, 24, dtype=np.float32)[:, None, None, None], (24, 6, 6, 1))
PERFECT = [np.where(label == LABELS, 0.0, 1.0) + np.arange(24) / 100 for label in range(3)]
USELESS = [np.ones(24) for _ in range(3)]
SCORES = {"good": np.array([0.01, 0.02]), "$hole$": np.array([0.02, 0.05, 0.06])}
MASK = np.zeros((6, 6), bool)
MASK[2:4, 1:3] = True
EXAMPLES = [
    Example("good", IMAGES[20], np.full((6, 6), 0.1, np.float32), None, False),
    Example("hole", np.full((6, 6, 3), 0.7, np.float32), np.full((6, 6), 0.3, np.float32), MASK, True),
]

FIGURES: dict[str, Callable[[], Figure]] = {
    "scores": lambda: anomalies.plot_scores(SCORES, 0.03, {"good"}, "local"),
    "error_maps": lambda: anomalies.plot_error_maps(EXAMPLES),
    "roc": lambda: anomalies.plot_roc_curves(
        {"perfect": PERFECT, "useless": USELESS}, LABELS, CLASS_NAMES, "first seed"
    ),
    "ranking_ends": lambda: anomalies.plot_ranking_ends(IMAGES, PERFECT, LABELS, CLASS_NAMES, count=2),
    "distributions": lambda: anomalies.plot_score_distributions(
        {"error": np.arange(1.0, 11)}, {"error": np.arange(11.0, 21)}, IMAGES[:3], "digits"
    ),
}


def test_scores_are_dots_in_rows_by_class_with_the_threshold() -> None:
    figure = FIGURES["scores"]()
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == list(SCORES)
    for dots, values, colour in zip(axes.collections, SCORES.values(), (style.BLUE, style.ORANGE)):
        assert np.asarray(dots.get_offsets())[:, 0] == pytest.approx(values)
        assert to_hex(tuple(np.asarray(dots.get_facecolor())[0, :3])) == colour.lower()
    assert np.ravel(axes.lines[0].get_xdata())[0] == 0.03
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["normal test image", "anomalous test image", "threshold 0.03"]


@pytest.mark.parametrize(("lowest", "scale"), [(0.001, "log"), (0.0, "linear")])
def test_scores_are_logarithmic_where_none_is_zero(lowest: float, scale: str) -> None:
    figure = anomalies.plot_scores({"good": np.array([lowest, 1])}, None, {"good"}, "local")
    assert figure.axes[0].get_xscale() == scale
    assert ("logarithmic" in figure.axes[0].get_xlabel()) == (scale == "log")


def test_error_maps_are_on_one_scale_below_their_images() -> None:
    figure = FIGURES["error_maps"]()
    grid = np.array(figure.axes[:4]).reshape(2, 2)
    assert [axes.get_title() for axes in grid[0]] == ["good", "hole"]
    assert [axes.get_xlabel() for axes in grid[1]] == ["no alarm", "alarm"]
    assert [axes.get_images()[0].get_clim() for axes in grid[1]] == [pytest.approx((0, 0.3))] * 2
    assert [len(axes.collections) for axes in grid.flat] == [0, 1, 0, 1]
    assert figure.get_suptitle().endswith("outlines are the true defects")
    assert "outlines" not in anomalies.plot_error_maps(EXAMPLES[:1]).get_suptitle()


def test_roc_has_a_panel_for_each_class_with_a_curve_for_each_method() -> None:
    figure = FIGURES["roc"]()
    panels = [axes for axes in figure.axes if axes.lines]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == ["T-shirt/top: 100.0%", "Trouser: 100.0%", "Pullover: 100.0%"]
    for axes in panels:
        perfect, useless = (np.asarray(line.get_xydata()).tolist() for line in axes.lines)
        assert [0, 1] in perfect
        assert useless == [[0, 0], [1, 1]]
    assert "first seed" in figure.legends[0].get_title().get_text()


def test_ranking_ends_come_in_the_order_of_the_ranking() -> None:
    shown = [
        [round(float(np.max(np.asarray(axes.images[0].get_array()))) * 23) for axes in panel.axes]
        for panel in FIGURES["ranking_ends"]().subfigs
    ]
    # Scores rise with the index: of class 0 the first two and the last two, then those of the others.
    assert [group[:2] for group in shown] == [[0, 1], [7, 6], [8, 9], [23, 22]]
    assert [group[4:] for group in shown] == [[16, 17], [23, 22], [0, 1], [15, 14]]


def test_distributions_have_the_area_in_their_titles_and_show_the_strangers() -> None:
    figure = FIGURES["distributions"]()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert "error (logarithmic axis): AUROC 100.0%" in titles
    assert sum(bool(axes.images) for axes in figure.axes) == 3
