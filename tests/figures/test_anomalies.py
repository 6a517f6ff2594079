"""What each picture of the anomaly study shows."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from cae.figures import anomalies
from tests.default import CLASS_NAMES

LABELS = np.repeat(np.arange(3, dtype=np.uint8), 8)
IMAGES = np.broadcast_to(np.linspace(0, 1, 24, dtype=np.float32)[:, None, None, None], (24, 6, 6, 1))
PERFECT = [np.where(label == LABELS, 0.0, 1.0) + np.arange(24) / 100 for label in range(3)]
USELESS = [np.ones(24) for _ in range(3)]

PICTURES: dict[str, Callable[[], Figure]] = {
    "roc": lambda: anomalies.plot_roc_curves(
        {"perfect": PERFECT, "useless": USELESS}, LABELS, CLASS_NAMES, "first seed"
    ),
    "extremes": lambda: anomalies.plot_ranking_ends(IMAGES, PERFECT, LABELS, CLASS_NAMES, count=2),
    "distribution": lambda: anomalies.plot_score_distributions(
        {"error": np.arange(1.0, 11)}, {"error": np.arange(11.0, 21)}, IMAGES[:3], "digits"
    ),
}


def test_roc_has_a_panel_a_class_with_a_curve_a_method() -> None:
    panels = PICTURES["roc"]().axes
    drawn = [axes for axes in panels if axes.lines]
    assert [axes.get_title(loc="left") for axes in drawn] == [
        "T-shirt/top: 100.0%",
        "Trouser: 100.0%",
        "Pullover: 100.0%",
    ]
    for axes in drawn:
        perfect, useless = (np.asarray(line.get_xydata()).tolist() for line in axes.lines)
        assert [0, 1] in perfect
        assert useless == [[0, 0], [1, 1]]


def test_the_title_of_roc_says_which_scores_it_shows() -> None:
    (legend,) = PICTURES["roc"]().legends
    assert "first seed" in legend.get_title().get_text()


def test_extremes_come_in_the_order_of_the_ranking() -> None:
    panels = anomalies.plot_ranking_ends(IMAGES, PERFECT, LABELS, CLASS_NAMES, count=2).subfigs
    shown = [
        [round(float(np.max(np.asarray(axes.images[0].get_array()))) * 23) for axes in panel.axes]
        for panel in panels
    ]
    # Score rises with the place: of class 0 its first two, its last two from the end; then the others'.
    assert [group[:2] for group in shown] == [[0, 1], [7, 6], [8, 9], [23, 22]]
    assert [group[4:] for group in shown] == [[16, 17], [23, 22], [0, 1], [15, 14]]


def test_a_distribution_names_the_area_and_shows_the_strangers() -> None:
    figure = PICTURES["distribution"]()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert "error: AUROC 100.0%" in titles
    assert sum(bool(axes.images) for axes in figure.axes) == 3
