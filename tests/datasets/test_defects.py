"""Defects are drawn where their masks are, into most images, and depend on the generator alone."""

import numpy as np
import pytest

from behaviour import examples
from cae.core.arrays import Images
from cae.datasets import defects
from cae.datasets.defects import DefectiveImages

IMAGES = np.rint(examples.images(200, 28, 28) * 255).astype(np.float32) / np.float32(255)


def draw(images: Images, seed: int = 1) -> DefectiveImages:
    return defects.draw_defects(images, np.random.default_rng(seed))


def test_pixels_outside_of_a_mask_change_little() -> None:
    drawn = draw(IMAGES)
    assert drawn.masks.shape == (200, 28, 28, 1)
    change = np.abs(drawn.images - IMAGES)
    assert change[drawn.masks == 0].max() <= defects.MARKED_CHANGE
    assert change[drawn.masks == 1].mean() > 0.05


def test_three_of_four_images_have_a_small_defect() -> None:
    shares = draw(IMAGES).masks.mean(axis=(1, 2, 3))
    assert (shares > 0).mean() == pytest.approx(0.75, abs=0.1)
    assert shares.max() < 0.35


def test_images_keep_their_shape_range_and_grey_values() -> None:
    images = IMAGES.reshape(4, 50, 28, 28, 1)
    drawn = draw(images)
    assert drawn.images.shape == images.shape
    assert drawn.images.dtype == drawn.masks.dtype == np.float32
    assert drawn.images.min() >= 0
    assert drawn.images.max() <= 1
    steps = drawn.images * 255
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)


@pytest.mark.parametrize("shape", [(12, 100, 3), (252, 252, 1)])
def test_colour_and_other_sizes(shape: tuple[int, int, int]) -> None:
    drawn = draw(examples.images(12, *shape))
    assert drawn.images.shape == (12, *shape)
    assert drawn.masks.shape == (12, *shape[:2], 1)
    assert drawn.masks.any()


def test_the_same_generator_draws_the_same_defects() -> None:
    first, again, other = draw(IMAGES), draw(IMAGES), draw(IMAGES, seed=2)
    np.testing.assert_array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)


@pytest.mark.parametrize("levels", [80, 255, None])
def test_steps_of_grey_values_are_found(levels: int | None) -> None:
    images = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
    assert defects.find_levels(defects.round_to_levels(images, levels)) == levels
