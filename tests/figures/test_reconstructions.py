"""What each picture shows."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from cae.figures import reconstructions
from tests.default import CLASS_NAMES

FLOOR = 0.24
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4],
        "loss": [0.4, 0.3, 0.28, 0.27],
        "val_loss": [0.38, 0.31, 0.275, 0.285],
        "learning_rate": [0.003, 0.002, 0.001, 0.0],
    }
)
LABELS = np.repeat(np.array([0, 1, 9], np.uint8), 3)
IMAGES = np.full((9, 12, 12, 1), 0.5, np.float32)
# Off by 0.09, 0.08, … 0.01: within each class the middle image has the median error.
OFFSETS = np.arange(9, 0, -1, dtype=np.float32) / 100
RECONSTRUCTED = (IMAGES + OFFSETS[:, None, None, None]).astype(np.float32)
OURS = reconstructions.Method("ours", 128, 12785, np.square(OFFSETS, dtype=np.float64))
PCA = reconstructions.Method("PCA-128", 128, 101136, OURS.errors / 2)

PICTURES: dict[str, Callable[[], Figure]] = {
    "loss_curves": lambda: reconstructions.plot_loss_curves(HISTORY, FLOOR),
    "examples": lambda: reconstructions.plot_class_examples(IMAGES, RECONSTRUCTED, LABELS, CLASS_NAMES),
    "extremes": lambda: reconstructions.plot_extremes(IMAGES, RECONSTRUCTED, LABELS, CLASS_NAMES, count=2),
    "error_by_class": lambda: reconstructions.plot_error_by_class([OURS, PCA], LABELS, CLASS_NAMES),
    "error_distribution": lambda: reconstructions.plot_error_distribution([OURS, PCA]),
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_loss_curves_stand_above_the_floor_with_the_losses_on_the_right() -> None:
    figure = reconstructions.plot_loss_curves(HISTORY, FLOOR)
    figure.draw_without_rendering()
    losses, rates = figure.axes
    curves = {str(line.get_label()): line.get_ydata() for line in losses.lines}
    assert curves["training"] == pytest.approx(HISTORY["loss"] - FLOOR)
    assert curves["validation"] == pytest.approx(HISTORY["val_loss"] - FLOOR)
    assert losses.get_yscale() == "log"
    assert losses.get_ylabel() == "above the floor, nats a pixel"
    right = losses.child_axes[0]
    assert right.get_ylabel() == "binary cross-entropy, nats a pixel"
    assert right.get_ylim() == pytest.approx(np.array(losses.get_ylim()) + FLOOR)
    assert rates.get_xlabel() == "epoch"
    assert rates.lines[-1].get_ydata() == pytest.approx(HISTORY["learning_rate"])


def test_loss_curves_mark_the_epoch_of_least_validation_loss() -> None:
    losses = reconstructions.plot_loss_curves(HISTORY, FLOOR).axes[0]
    marked = next(line for line in losses.lines if str(line.get_label()).startswith("best epoch"))
    assert marked.get_xydata() == pytest.approx(np.array([[3, 0.275 - FLOOR]]))
    assert marked.get_label() == "best epoch 3: validation 0.27500\n0.03500 above the floor of 0.24000"


def test_loss_curves_without_a_floor_show_the_losses_themselves() -> None:
    losses = reconstructions.plot_loss_curves(HISTORY, None).axes[0]
    assert losses.get_yscale() == "linear"
    assert losses.get_ylabel() == "nats a pixel"
    assert losses.lines[0].get_ydata() == pytest.approx(HISTORY["loss"])
    assert not losses.child_axes


def test_a_loss_on_the_floor_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"on or below the floor of 0\.275"):
        reconstructions.plot_loss_curves(HISTORY, 0.275)


def test_reconstructions_show_the_median_image_of_each_class() -> None:
    figure = reconstructions.plot_class_examples(IMAGES, RECONSTRUCTED, LABELS, CLASS_NAMES)
    grid = np.array(figure.axes[:9]).reshape(3, 3)
    assert [axes.get_title() for axes in grid[0]] == ["T-shirt/top", "Trouser", "Ankle boot"]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["original", "reconstruction", "error"]
    assert [axes.get_xlabel() for axes in grid[2]] == ["MSE\n0.0064", "MSE\n0.0025", "MSE\n0.0004"]
    errors = [float(np.mean(axes.get_images()[0].get_array())) for axes in grid[2]]
    assert errors == pytest.approx([0.08, 0.05, 0.02], abs=1e-6)


def test_the_error_has_one_scale_symmetric_about_zero_with_its_unit() -> None:
    figure = reconstructions.plot_class_examples(IMAGES, RECONSTRUCTED, LABELS, CLASS_NAMES)
    limits = {axes.get_images()[0].get_clim() for axes in figure.axes[6:9]}
    assert len(limits) == 1
    assert limits.pop() == pytest.approx((-0.08, 0.08), abs=1e-6)
    assert figure.axes[9].get_ylabel() == "reconstruction − original,\ngrey value from 0 to 1"


def test_perfect_reconstructions_can_be_drawn() -> None:
    figure = reconstructions.plot_class_examples(IMAGES, IMAGES, LABELS, CLASS_NAMES)
    assert figure.axes[8].get_images()[0].get_clim() == (-1, 1)


def test_of_an_even_class_the_lower_median_is_chosen() -> None:
    errors = np.array([0.4, 9.0, 0.1, 0.3, 0.2])
    members = np.array([True, False, True, True, True])
    assert reconstructions.find_median(errors, members) == 4


def test_extremes_show_the_best_and_the_worst_in_order() -> None:
    best, worst = reconstructions.plot_extremes(IMAGES, RECONSTRUCTED, LABELS, CLASS_NAMES, count=2).subfigs
    assert best.get_suptitle() == "The 2 best reconstructions of 9 test images"
    assert worst.get_suptitle() == "The 2 worst reconstructions of 9 test images"
    assert [axes.get_xlabel() for axes in best.axes[2:]] == ["MSE 0.0001", "MSE 0.0004"]
    assert [axes.get_xlabel() for axes in worst.axes[2:]] == ["MSE 0.0081", "MSE 0.0064"]
    assert [axes.get_title() for axes in best.axes[:2]] == ["Ankle boot", "Ankle boot"]
    assert [axes.get_title() for axes in worst.axes[:2]] == ["T-shirt/top", "T-shirt/top"]


@pytest.mark.parametrize(("count", "images_drawn"), [(2, 8), (8, 32), (100, 36)])
def test_extremes_draw_two_pictures_for_each_image_there_is(count: int, images_drawn: int) -> None:
    figure = reconstructions.plot_extremes(IMAGES, RECONSTRUCTED, LABELS, CLASS_NAMES, count=count)
    assert sum(len(axes.get_images()) for axes in figure.axes) == images_drawn


def test_class_errors_hold_the_mean_of_each_class_and_method() -> None:
    table = reconstructions.tabulate_class_errors([OURS, PCA], LABELS, CLASS_NAMES)
    assert list(table.columns) == ["class", "images", "ours", "PCA-128"]
    assert list(table["class"]) == ["T-shirt/top", "Trouser", "Ankle boot"]
    assert list(table["images"]) == [3, 3, 3]
    expected = [OURS.errors[label == LABELS].mean() for label in (0, 1, 9)]
    assert table["ours"].to_numpy() == pytest.approx(expected)
    assert table["PCA-128"].to_numpy() == pytest.approx(np.array(expected) / 2)


def test_error_percentiles_hold_the_sorted_errors_and_their_ratio() -> None:
    spread = OURS._replace(errors=np.arange(101.0)[::-1])
    table = reconstructions.tabulate_error_percentiles(
        [spread, spread._replace(name="half", errors=spread.errors / 2)]
    )
    assert list(table.columns) == ["percentile", "ours", "half", "ours / half"]
    assert table["percentile"].tolist() == list(range(1, 100))
    assert table["ours"].to_numpy() == pytest.approx(np.arange(1, 100))
    assert table["ours / half"].to_numpy() == pytest.approx(2)


def test_error_by_class_draws_every_class_and_all_images_for_each_method() -> None:
    figure = reconstructions.plot_error_by_class([OURS, PCA], LABELS, CLASS_NAMES)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "Ankle boot",
        "Trouser",
        "T-shirt/top",
        "all images",
    ]
    ours, pca = axes.lines[:2]
    assert np.ravel(ours.get_xdata())[-1] == pytest.approx(OURS.errors.mean())
    assert np.ravel(pca.get_xdata())[-1] == pytest.approx(PCA.errors.mean())
    assert ours.get_marker() != pca.get_marker()
    assert axes.get_xlabel().startswith("mean squared error of a class, grey values from 0 to 1")


def test_a_legend_names_what_each_method_costs() -> None:
    assert texts(reconstructions.plot_error_by_class([OURS, PCA], LABELS, CLASS_NAMES)) == [
        "ours: 128 numbers an image, 12,785 parameters",
        "PCA-128: 128 numbers an image, 101,136 parameters",
    ]


def test_error_distribution_counts_every_image_and_marks_the_medians() -> None:
    figure = reconstructions.plot_error_distribution([OURS, PCA])
    (axes,) = figure.axes
    medians = [float(np.ravel(line.get_xdata())[0]) for line in axes.lines]
    assert medians == pytest.approx([0.0025, 0.00125])
    assert texts(figure)[0].endswith("median 0.00250")
    assert axes.get_ylabel() == "test images in a bin"
    # The outline of a histogram goes up and down its bars: each bin is two corners of its height.
    outline = next(patch for patch in axes.patches if isinstance(patch, Polygon) and not patch.get_closed())
    assert outline.get_xy()[1:-1:2, 1].sum() == len(OURS.errors)


def test_a_perfect_image_is_counted_in_a_distribution() -> None:
    perfect = OURS._replace(errors=np.zeros(5))
    axes = reconstructions.plot_error_distribution([perfect]).axes[0]
    assert axes.dataLim.ymax == 5


def test_more_methods_than_looks_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        reconstructions.plot_error_by_class(
            [OURS._replace(name=str(number)) for number in range(5)], LABELS, CLASS_NAMES
        )
