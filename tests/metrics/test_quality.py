"""Metrics equal hand-computed values, other libraries and the formulas of the papers."""

import math
from collections.abc import Callable

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from scipy.stats import entropy
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error

from cae.core.arrays import Images, Scores
from cae.metrics import quality

METRICS = (quality.binary_crossentropy, quality.mse, quality.mae, quality.psnr, quality.ssim)
grey = st.floats(0, 1, width=32)
small_images = arrays(np.float32, (2, 3, 4, 1), elements=grey)


def constant(value: float, side: int = 4) -> Images:
    return np.full((1, side, side, 1), value, np.float32)


def draw(seed: int, count: int = 3, side: int = 16) -> Images:
    return np.random.default_rng(seed).random((count, side, side, 1), np.float32)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (quality.binary_crossentropy, 2 * math.log(2) - 0.5 * math.log(3)),
        (quality.mse, 0.0625),
        (quality.mae, 0.25),
        (quality.psnr, 10 * math.log10(16)),
    ],
)
def test_metrics_of_a_constant_error_are_those_computed_by_hand(
    metric: quality.Metric, expected: float
) -> None:
    assert metric(constant(0.5), constant(0.75)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "reference"),
    [
        (quality.binary_crossentropy, log_loss),
        (quality.mse, mean_squared_error),
        (quality.mae, mean_absolute_error),
    ],
)
def test_metrics_equal_those_of_scikit_learn(metric: quality.Metric, reference: Callable[..., float]) -> None:
    # log_loss needs black and white images.
    images, reconstructions = np.round(draw(1)), draw(2)
    expected = [reference(x.ravel(), y.ravel()) for x, y in zip(images, reconstructions, strict=True)]
    assert metric(images, reconstructions) == pytest.approx(expected)


@pytest.mark.parametrize(("image", "reconstruction"), [(1, 0), (0, 1), (0.5, 0), (0.5, 1), (0.3, 0.8)])
def test_crossentropy_clips_like_keras(image: float, reconstruction: float) -> None:
    pair = constant(image), constant(reconstruction)
    expected = float(np.mean(keras.losses.binary_crossentropy(*pair)))
    assert quality.binary_crossentropy(*pair) == pytest.approx(expected, rel=1e-6)


def test_the_floor_is_the_entropy_of_grey_values() -> None:
    images = draw(3)
    expected = [np.mean(entropy([x.ravel(), 1 - x.ravel()])) for x in images.astype(np.float64)]
    assert quality.floor(images) == pytest.approx(expected, abs=2e-7)


@given(small_images, small_images)
def test_no_reconstruction_is_below_the_floor(images: Images, reconstructions: Images) -> None:
    assert (quality.binary_crossentropy(images, reconstructions) >= quality.floor(images) - 1e-12).all()


@given(small_images, small_images)
def test_mse_is_zero_only_for_the_image_itself(images: Images, reconstructions: Images) -> None:
    # Squares of the tiniest numbers vanish even in float64: a grey level of 1e-30 is black.
    images, reconstructions = images.round(6), reconstructions.round(6)
    equal = (images == reconstructions).all(axis=(1, 2, 3))
    assert ((quality.mse(images, reconstructions) == 0) == equal).all()


@given(arrays(np.float64, 20, elements=st.floats(0, 1)))
def test_psnr_never_rises_with_the_error(errors: Scores) -> None:
    decibels = quality.psnr_from_mse(np.sort(errors))
    assert (np.diff(decibels) <= 0).all()
    assert (decibels >= 0).all()


def test_one_grey_level_in_one_pixel_stays_below_the_cap_of_psnr() -> None:
    image = constant(0, side=28)
    changed = image.copy()
    changed[0, 0, 0, 0] = 1 / 255
    assert quality.psnr(image, changed)[0] == pytest.approx(20 * math.log10(255) + 10 * math.log10(784))


@settings(deadline=None, max_examples=25)
@given(*[arrays(np.float32, (2, 12, 13, 1), elements=grey)] * 2)
def test_ssim_is_symmetric_and_bounded(images: Images, others: Images) -> None:
    there, back = quality.ssim(images, others), quality.ssim(others, images)
    assert there == pytest.approx(back, abs=1e-5)
    assert (np.abs(there) <= 1 + 1e-5).all()


def test_ssim_equals_the_formula_of_the_paper() -> None:
    images, reconstructions = draw(6), draw(7)
    expected = [
        compute_ssim(x[..., 0].astype(np.float64), y[..., 0].astype(np.float64))
        for x, y in zip(images, reconstructions, strict=True)
    ]
    assert quality.ssim(images, reconstructions) == pytest.approx(expected, abs=1e-5)


def compute_ssim(x: Scores, y: Scores) -> float:
    """Compute SSIM with SciPy's Gaussian filter: σ = 1.5 cut at 5 pixels, the window inside the image."""

    def blur(z: Scores) -> Scores:
        return gaussian_filter(z, sigma=1.5, radius=5)[5:-5, 5:-5]

    mean_x, mean_y = blur(x), blur(y)
    covariance = blur(x * y) - mean_x * mean_y
    variances = blur(x * x) - mean_x**2 + blur(y * y) - mean_y**2
    luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    return float((luminance * (2 * covariance + 0.03**2) / (variances + 0.03**2)).mean())


@pytest.mark.parametrize("metric", METRICS)
def test_an_image_scores_the_same_in_any_block(
    metric: quality.Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, reconstructions = draw(8, count=5), draw(9, count=5)
    together = metric(images, reconstructions)
    monkeypatch.setattr(quality, "BATCH", 2)
    assert together.shape == (5,)
    assert together.dtype == np.float64
    assert together.tolist() == metric(images, reconstructions).tolist()


def test_the_summary_holds_the_means() -> None:
    images, reconstructions = draw(10), draw(11)
    errors = quality.mse(images, reconstructions)
    found = quality.summarise(images, reconstructions)
    assert found == pytest.approx(
        {
            "bce": quality.binary_crossentropy(images, reconstructions).mean(),
            "bce_above_floor": found["bce"] - quality.floor(images).mean(),
            "mse": errors.mean(),
            "mae": quality.mae(images, reconstructions).mean(),
            "psnr": (-10 * np.log10(errors)).mean(),
            "psnr_of_mean_mse": -10 * np.log10(errors.mean()),
            "ssim": quality.ssim(images, reconstructions).mean(),
        }
    )


def test_the_summary_of_the_images_themselves_is_perfect() -> None:
    images = draw(12)
    found = quality.summarise(images, images)
    assert [found[key] for key in ("bce_above_floor", "mse", "mae")] == [0, 0, 0]
    assert found["psnr"] == found["psnr_of_mean_mse"] == quality.PSNR_CAP
    assert found["ssim"] == pytest.approx(1)


@pytest.mark.parametrize("metric", [*METRICS, quality.summarise])
@pytest.mark.parametrize(
    ("images", "reconstructions", "message"),
    [
        (draw(0, 2), draw(0, 3), r"\(2, 16, 16, 1\), but reconstructions \(3, 16, 16, 1\)"),
        (draw(0, 0), draw(0, 0), r"\(0, 16, 16, 1\), but a non-empty \(N, H, W, 1\)"),
        (draw(0)[..., 0], draw(0)[..., 0], r"\(3, 16, 16\), but a non-empty \(N, H, W, 1\)"),
        (draw(0) - 1, draw(0), r"images range from -.* must be in \[0, 1\]"),
        (draw(0), draw(0) * 255, r"reconstructions range from .* to 25.* must be in \[0, 1\]"),
        (draw(0), draw(0) * np.float32(np.nan), "reconstructions hold NaN or infinity"),
        (draw(0) + np.float32(np.inf), draw(0), "images hold NaN or infinity"),
    ],
)
def test_wrong_arrays_are_a_clear_error(
    metric: quality.Metric, images: Images, reconstructions: Images, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        metric(images, reconstructions)
