"""Views: random changes of an image that leave what it shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from cae.datasets.views import PATCH, Placement, Views, cover, draw_placement, draw_view, erase, warp

SAME = Views(crop=1.0, rotation=0.0, brightness=0.0, contrast=0.0, erasing=0.0)
IMAGES = np.random.default_rng(0).random((50, 12, 9, 2), dtype=np.float32)


def place(centre: tuple[float, float], matrix: list[list[float]]) -> Placement:
    """Return a placement for one image."""
    return Placement(np.array([centre], np.float32), np.array([matrix], np.float32))


@given(
    shape=st.tuples(*(st.integers(1, 9),) * 2),
    crop=st.floats(0.1, 1),
    rotation=st.floats(0, 90),
    seed=st.integers(0, 99),
)
def test_a_view_has_the_shape_of_its_image_and_values_from_0_to_1(
    shape: tuple[int, int], crop: float, rotation: float, seed: int
) -> None:
    draws = np.random.default_rng(seed)
    images = draws.random((2, 3, *shape, 1), dtype=np.float32)
    view = draw_view(images, Views(crop=crop, rotation=rotation), draws)
    assert view.shape == images.shape
    assert view.dtype == np.float32
    assert 0 <= view.min() <= view.max() <= 1


def test_views_without_any_change_are_the_images_or_their_mirror_images() -> None:
    views = draw_view(IMAGES, SAME, np.random.default_rng(0))
    is_same = [np.allclose(view, image, atol=1e-5) for view, image in zip(views, IMAGES, strict=True)]
    mirrored = [
        np.allclose(view, image[:, ::-1], atol=1e-5) for view, image in zip(views, IMAGES, strict=True)
    ]
    assert np.logical_xor(is_same, mirrored).all()
    assert 15 < sum(is_same) < 35


def test_views_are_drawn_from_the_generator_alone() -> None:
    first, again, other = (draw_view(IMAGES, Views(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_an_image_is_sampled_bilinearly_and_is_black_outside() -> None:
    placement = place((0.2, -0.3), [[0.9, -0.6], [0.5, 1.1]])
    y, x = np.meshgrid(*((2 * np.arange(side) + 1) / side - 1 for side in (12, 9)), indexing="ij")
    rows = (0.2 + 0.9 * y - 0.6 * x + 1) * 6 - 0.5
    columns = (-0.3 + 0.5 * y + 1.1 * x + 1) * 4.5 - 0.5
    padded = np.pad(IMAGES[0], ((1, 1), (1, 1), (0, 0)))
    expected = [
        map_coordinates(padded[..., channel], [rows + 1, columns + 1], order=1, mode="nearest")
        for channel in range(2)
    ]
    np.testing.assert_allclose(warp(IMAGES[:1], placement)[0], np.stack(expected, axis=-1), atol=1e-5)


def test_crops_lie_inside_of_the_image() -> None:
    placement = draw_placement(200, Views(crop=0.3, rotation=0.0), np.random.default_rng(0))
    reach = np.abs(placement.matrix).sum(axis=2)
    assert (np.abs(placement.centre) + reach <= 1 + 1e-6).all()
    assert reach.min() == pytest.approx(0.3, abs=0.02)


def test_a_rotation_keeps_lengths_and_turns_by_at_most_the_given_angle() -> None:
    placement = draw_placement(500, Views(crop=1.0, rotation=30.0), np.random.default_rng(0))
    matrix = placement.matrix.astype(np.float64)
    np.testing.assert_allclose(matrix @ matrix.transpose(0, 2, 1), np.tile(np.eye(2), (500, 1, 1)), atol=1e-6)
    angles = np.degrees(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert 28 < np.abs(angles).max() <= 30.001


def test_brightness_multiplies_and_contrast_keeps_black_and_white() -> None:
    views = Views(crop=1.0, rotation=0.0, brightness=0.5, contrast=0.9, erasing=0.0)
    grey = np.full((200, 2, 2, 1), 0.5, np.float32)
    values = draw_view(grey, views, np.random.default_rng(0))[:, 0, 0, 0]
    assert values.min() < 0.2
    assert values.max() > 0.75
    assert (draw_view(0 * grey, views, np.random.default_rng(0)) == 0).all()


def test_erasing_blackens_one_rectangle_of_at_most_that_size() -> None:
    white = np.ones((300, 20, 10, 1), np.float32)
    black = erase(white, 0.5, np.random.default_rng(0))[..., 0] == 0
    heights, widths = black.any(axis=2).sum(axis=1), black.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(black.sum(axis=(1, 2)), heights * widths)
    assert heights.max() == 9
    assert widths.max() == 4


def test_the_same_share_of_patches_is_covered_in_every_image() -> None:
    white = np.ones((2, 5, 4 * PATCH, 3 * PATCH, 1), np.float32)
    covered = cover(white, 0.5, np.random.default_rng(0))
    patches = covered.reshape(2, 5, 4, PATCH, 3, PATCH)
    assert set(np.unique(patches.mean(axis=(3, 5)))) == {0.0, 1.0}
    assert (covered.sum(axis=(2, 3, 4)) == 6 * PATCH**2).all()
