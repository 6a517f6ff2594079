"""The error map of an image, and its anomaly score."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cae.metrics import error_maps


def test_the_error_of_a_pixel_is_its_mean_square_over_channels() -> None:
    image, other = np.zeros((2, 3, 3), np.float32), np.zeros((2, 3, 3), np.float32)
    other[1, 2] = (0.1, 0.2, 0.3)
    found = error_maps.compute_error_maps(image, other)
    assert found.shape == (2, 3)
    assert found[1, 2] == pytest.approx((0.01 + 0.04 + 0.09) / 3)
    assert found.sum() == pytest.approx(found[1, 2])


def test_without_smoothing_the_score_is_the_mean() -> None:
    found = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert error_maps.compute_score(found) == 2.5
    assert error_maps.smooth(found, None) is found


def test_with_smoothing_the_score_is_the_maximum() -> None:
    found = np.zeros((20, 30), np.float32)
    found[5, 7] = 1
    expected = gaussian_filter(found, 1.5, mode="mirror", truncate=3)
    assert error_maps.compute_score(found, 1.5) == pytest.approx(expected[5, 7])


def test_with_smoothing_a_small_defect_scores_higher_than_noise_of_the_same_mean() -> None:
    noise = np.full((28, 28), 0.01, np.float32)
    defect = np.zeros((28, 28), np.float32)
    defect[10:13, 10:13] = 0.01 * 28 * 28 / 9
    assert error_maps.compute_score(defect) == pytest.approx(error_maps.compute_score(noise), rel=1e-5)
    assert error_maps.compute_score(defect, 2.0) > 10 * error_maps.compute_score(noise, 2.0)
