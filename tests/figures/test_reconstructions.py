"""The figures and tables of reconstructions show the right values."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from cae.core.arrays import Images
from cae.figures import reconstructions
from cae.figures.reconstructions import Examples
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
NAMES = [CLASS_NAMES[label] for label in LABELS]
IMAGES = np.full((9, 12, 12, 1), 0.5, np.float32)
# Off by 0.09, 0.08, … 0.01: within each class the middle image has the median error.
OFFSETS = np.arange(9, 0, -1, dtype=np.float32) / 100
ERRORS = np.square(OFFSETS, dtype=np.float64)
RECONSTRUCTED = (IMAGES + OFFSETS[:, None, None, None]).astype(np.float32)
OURS = reconstructions.Method("ours", 128, 12785, ERRORS)
PCA = reconstructions.Method("PCA", 128, 101136, ERRORS / 2)


def plot_examples(originals: Images, reconstructed: Images, noisy: Images | None = None) -> Figure:
    examples = Examples(originals, reconstructed, ERRORS[:3], NAMES[:3], noisy)
    return reconstructions.plot_examples(examples, "Three images")


def plot_extremes() -> Figure:
    best, worst = (
        Examples(IMAGES[places], RECONSTRUCTED[places], ERRORS[places], [NAMES[place] for place in places])
        for places in ([8, 7], [0, 1])
    )
    return reconstructions.plot_extremes(best, worst, 9)


FIGURES: dict[str, Callable[[], Figure]] = {
    "loss_curves": lambda: reconstructions.plot_loss_curves(HISTORY, FLOOR),
    "examples": lambda: plot_examples(IMAGES[:3], RECONSTRUCTED[:3]),
    "extremes": plot_extremes,
    "error_by_class": lambda: reconstructions.plot_error_by_class([OURS, PCA], LABELS, CLASS_NAMES),
    "error_distribution": lambda: reconstructions.plot_error_distribution([OURS, PCA]),
}


def test_loss_curves_are_above_the_floor_with_the_losses_on_the_right() -> None:
    figure = FIGURES["loss_curves"]()
    figure.draw_without_rendering()
    losses, rates = figure.axes
    curves = {str(line.get_label()): line for line in losses.lines}
    assert curves["training"].get_ydata() == pytest.approx(HISTORY["loss"] - FLOOR)
    assert curves["validation"].get_ydata() == pytest.approx(HISTORY["val_loss"] - FLOOR)
    best = curves["best epoch 3: validation 0.27500\n0.03500 above the floor of 0.24000"]
    assert best.get_xydata() == pytest.approx(np.array([[3, 0.275 - FLOOR]]))
    assert losses.get_yscale() == "log"
    assert losses.child_axes[0].get_ylim() == pytest.approx(np.array(losses.get_ylim()) + FLOOR)
    assert rates.lines[-1].get_ydata() == pytest.approx(HISTORY["learning_rate"])


def test_loss_curves_without_a_floor_show_the_losses_themselves() -> None:
    losses = reconstructions.plot_loss_curves(HISTORY, None).axes[0]
    assert losses.get_yscale() == "linear"
    assert losses.lines[0].get_ydata() == pytest.approx(HISTORY["loss"])
    assert not losses.child_axes


def test_a_loss_on_the_floor_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"not above the floor of 0\.275"):
        reconstructions.plot_loss_curves(HISTORY, 0.275)


def test_examples_show_original_reconstruction_and_signed_error_on_one_scale() -> None:
    figure = FIGURES["examples"]()
    grid = np.array(figure.axes[:9]).reshape(3, 3)
    assert [axes.get_title() for axes in grid[0]] == NAMES[:3]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["original", "reconstruction", "error"]
    assert [axes.get_xlabel() for axes in grid[2]] == ["MSE\n0.0081", "MSE\n0.0064", "MSE\n0.0049"]
    shown = [float(np.mean(axes.get_images()[0].get_array())) for axes in grid.flat]
    assert shown == pytest.approx([0.5] * 3 + [0.59, 0.58, 0.57] + [0.09, 0.08, 0.07])
    assert [axes.get_images()[0].get_clim() for axes in grid[2]] == [pytest.approx((-0.09, 0.09))] * 3


def test_the_error_of_a_colour_image_is_the_root_mean_square_of_its_channels() -> None:
    originals = IMAGES[:3].repeat(3, axis=-1)
    reconstructed = originals + np.array([0.1, -0.2, 0.2], np.float32)
    error = plot_examples(originals, reconstructed).axes[6].get_images()[0]
    assert np.asarray(error.get_array()) == pytest.approx(np.full((12, 12), np.sqrt(0.09 / 3)))
    assert error.get_clim() == pytest.approx((0, np.sqrt(0.09 / 3)))


def test_the_noisy_input_of_a_denoiser_is_shown_below_the_original() -> None:
    grid = np.array(plot_examples(IMAGES[:3], RECONSTRUCTED[:3], 1 - IMAGES[:3]).axes[:12]).reshape(4, 3)
    names = [axes.get_ylabel() for axes in grid[:, 0]]
    assert names == ["original", "input", "reconstruction", "error"]


def test_perfect_reconstructions_can_be_drawn() -> None:
    assert plot_examples(IMAGES[:3], IMAGES[:3]).axes[8].get_images()[0].get_clim() == (-1, 1)


def test_of_an_even_number_the_lower_median_is_found() -> None:
    members = np.array([True, False, True, True, True])
    assert reconstructions.find_median(np.array([0.4, 9.0, 0.1, 0.3, 0.2]), members) == 4


def test_extremes_show_the_best_and_the_worst_in_order() -> None:
    best, worst = plot_extremes().subfigs
    assert best.get_suptitle() == "The 2 best reconstructions of 9 test images"
    assert worst.get_suptitle() == "The 2 worst reconstructions of 9 test images"
    assert [axes.get_xlabel() for axes in best.axes[2:]] == ["MSE 0.0001", "MSE 0.0004"]
    assert [axes.get_xlabel() for axes in worst.axes[2:]] == ["MSE 0.0081", "MSE 0.0064"]
    assert [axes.get_title() for axes in best.axes[:2]] == ["Ankle boot", "Ankle boot"]


def test_class_errors_hold_the_mean_of_each_class_and_method() -> None:
    table = reconstructions.tabulate_class_errors([OURS, PCA], LABELS, CLASS_NAMES)
    means = [ERRORS[label == LABELS].mean() for label in (0, 1, 9)]
    expected = {"class": ["T-shirt/top", "Trouser", "Ankle boot"], "images": [3, 3, 3]}
    assert table.to_dict("list") == expected | {"ours": means, "PCA": [mean / 2 for mean in means]}


def test_error_percentiles_hold_the_sorted_errors_and_their_ratio() -> None:
    spread = OURS._replace(errors=np.arange(101.0)[::-1])
    table = reconstructions.tabulate_error_percentiles(
        [spread, spread._replace(name="half", errors=spread.errors / 2)]
    )
    assert list(table.columns) == ["percentile", "ours", "half", "ours / half"]
    assert table["percentile"].tolist() == list(range(1, 100))
    assert table["ours"].to_numpy() == pytest.approx(np.arange(1, 100))
    assert table["ours / half"].to_numpy() == pytest.approx(2)


def test_error_by_class_has_every_class_and_all_images_for_each_method() -> None:
    figure = FIGURES["error_by_class"]()
    (axes,) = figure.axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["Ankle boot", "Trouser", "T-shirt/top", "all images"]
    ours, pca = axes.lines[:2]
    assert np.ravel(ours.get_xdata())[-1] == pytest.approx(ERRORS.mean())
    assert np.ravel(pca.get_xdata())[-1] == pytest.approx(ERRORS.mean() / 2)
    assert ours.get_marker() != pca.get_marker()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "ours: 128 numbers per image, 12,785 parameters",
        "PCA: 128 numbers per image, 101,136 parameters",
    ]
    with pytest.raises(ValueError, match="zip"):
        reconstructions.plot_error_by_class([OURS] * 5, LABELS, CLASS_NAMES)


@pytest.mark.parametrize("errors", [ERRORS, np.zeros(9)])
def test_error_distribution_counts_every_image_and_marks_the_median(errors: np.ndarray) -> None:
    figure = reconstructions.plot_error_distribution([OURS._replace(errors=errors)])
    (axes,) = figure.axes
    assert np.ravel(axes.lines[0].get_xdata())[0] == pytest.approx(max(np.median(errors), 1e-6))
    assert figure.legends[0].get_texts()[0].get_text().endswith(f"median {np.median(errors):.5f}")
    # The outline of a histogram goes up and down its bars: each bin is two corners of its height.
    outline = next(patch for patch in axes.patches if isinstance(patch, Polygon) and not patch.get_closed())
    assert outline.get_xy()[1:-1:2, 1].sum() == len(errors)
