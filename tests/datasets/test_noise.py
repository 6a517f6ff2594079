"""Noise: what each kind does to a pixel, in [0, 1], and the same for everyone who asks."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import kstest, kurtosis

from cae.core.arrays import Images
from cae.datasets import noise
from cae.datasets.noise import Noise

GREY: Images = np.full((40, 28, 28, 1), 0.5, np.float32)
KINDS = ("gaussian", "salt_and_pepper", "squares", "mixed")


def added(images: Images, kind: str, strength: float, seed: int = 1) -> Images:
    settings = Noise.model_validate({"kind": kind, "strength": strength})
    return noise.add_noise(images, settings, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_noisy_images_are_images_of_the_same_shape_and_the_clean_ones_stay(kind: str) -> None:
    before = GREY.copy()
    noisy = added(GREY, kind, 0.4)
    assert noisy.shape == GREY.shape
    assert noisy.dtype == np.float32
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert not np.array_equal(noisy, GREY)
    np.testing.assert_array_equal(GREY, before)


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_draws_one_noise_however_the_images_lie(kind: str) -> None:
    flat = added(GREY, kind, 0.3)
    in_batches = added(GREY.reshape(4, 10, 28, 28, 1), kind, 0.3)
    np.testing.assert_array_equal(in_batches.reshape(GREY.shape), flat)
    assert not np.array_equal(added(GREY, kind, 0.3, seed=2), flat)


def test_gaussian_noise_has_the_standard_deviation_asked_for() -> None:
    assert np.std(added(GREY, "gaussian", 0.1)) == pytest.approx(0.1, rel=0.02)


def test_gaussian_noise_on_black_is_clipped() -> None:
    noisy = added(np.zeros_like(GREY), "gaussian", 0.1)
    assert np.mean(noisy == 0) == pytest.approx(0.5, abs=0.02)


def test_salt_and_pepper_makes_its_share_of_the_pixels_black_or_white_in_equal_parts() -> None:
    noisy = added(GREY, "salt_and_pepper", 0.3)
    assert set(np.unique(noisy)) == {0.0, 0.5, 1.0}
    assert np.mean(noisy == 0) == pytest.approx(0.15, abs=0.01)
    assert np.mean(noisy == 1) == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize(("share", "side"), [(0.25, 7), (1.0, 28), (0.001, 1)])
def test_a_square_is_black_and_has_its_side(share: float, side: int) -> None:
    for image in added(GREY, "squares", share)[..., 0]:
        rows, columns = np.nonzero(image == 0)
        assert len(rows) == side**2
        assert np.ptp(rows) == np.ptp(columns) == side - 1


def test_mixed_noise_gives_each_image_one_kind_of_any_strength_up_to_the_one_given() -> None:
    grey = np.full((300, 28, 28, 1), 0.5, np.float32)
    noisy = added(grey, "mixed", 0.5)
    changed = (noisy != 0.5).mean(axis=(1, 2, 3))
    black_or_white = ((noisy == 0) | (noisy == 1)).mean(axis=(1, 2, 3)) == changed
    white = (noisy == 1).any(axis=(1, 2, 3))
    squares, salted = black_or_white & ~white, black_or_white & white
    gaussian = ~black_or_white
    assert all(kind.mean() == pytest.approx(1 / 3, abs=0.08) for kind in (squares, salted, gaussian))
    assert changed[squares].max() == pytest.approx(0.25, abs=0.02)
    assert changed[salted].max() == pytest.approx(0.5, abs=0.06)
    assert noisy[gaussian].std(axis=(1, 2, 3)).max() < 0.5


def test_no_last_digit_of_a_library_can_change_a_normal_number() -> None:
    quantiles = ndtri((np.arange(noise.QUANTILES) + 0.5) / noise.QUANTILES) * np.sqrt(0.5)
    rounded = quantiles.astype(np.float32)
    neighbours = [np.nextafter(rounded, np.float32(side)).astype(np.float64) for side in (-9, 9)]
    for neighbour in neighbours:
        middle = (rounded.astype(np.float64) + neighbour) / 2
        assert (np.abs(quantiles - middle) > 1e-14 * np.abs(quantiles)).all()


def test_normal_numbers_are_normal() -> None:
    numbers = noise.draw_normal((400_000,), np.random.default_rng(3)).astype(np.float64)
    assert kstest(numbers, "norm").pvalue > 0.01
    assert numbers.mean() == pytest.approx(0, abs=0.005)
    assert numbers.std() == pytest.approx(1, abs=0.005)
    assert np.abs(numbers).max() > 4.4
    assert kurtosis(numbers) == pytest.approx(0, abs=0.03)
