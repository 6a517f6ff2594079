"""Padding comes off again exactly; resizing keeps means and makes no patterns."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.sources.sizes import cut_back, padded, resized

Image = npt.NDArray[np.float32]
SIDES = st.integers(1, 20)
IMAGES = arrays.arrays(
    np.float32, st.tuples(SIDES, SIDES, st.sampled_from([1, 3])), elements=st.floats(0, 1, width=32)
)


@settings(deadline=None)
@given(IMAGES, st.integers(1, 16))
def test_padding_makes_a_multiple_and_comes_off_again(image: Image, multiple: int) -> None:
    height, width, channels = image.shape
    larger = padded(image, multiple)
    assert [side % multiple for side in larger.shape[:2]] == [0, 0]
    assert larger.shape[0] - height < multiple
    assert larger.shape[1] - width < multiple
    assert larger.shape[2] == channels
    np.testing.assert_array_equal(cut_back(larger, height, width), image)


@pytest.mark.parametrize(("height", "width"), [(23, 23), (73, 144), (100, 100), (458, 690)])
def test_batches_are_padded_as_images_are(height: int, width: int) -> None:
    images = np.random.default_rng(0).random((2, height, width, 1), np.float32)
    larger = padded(images, 8)
    assert larger.shape == (2, -(-height // 8) * 8, -(-width // 8) * 8, 1)
    np.testing.assert_array_equal(larger[1], padded(images[1], 8))
    np.testing.assert_array_equal(cut_back(larger, height, width), images)


def test_what_is_added_is_the_mirrored_image() -> None:
    row = np.array([0, 1, 2, 3, 4], np.float32).reshape(1, 5, 1)
    np.testing.assert_array_equal(padded(row, 8)[0, :, 0], [0, 1, 2, 3, 4, 3, 2, 1])


@settings(deadline=None)
@given(IMAGES, SIDES, SIDES)
def test_a_resized_image_has_its_size_and_stays_in_range(image: Image, height: int, width: int) -> None:
    found = resized(image, height, width)
    assert found.shape == (height, width, image.shape[2])
    assert found.dtype == np.float32
    assert image.min() - 1e-6 <= found.min()
    assert found.max() <= image.max() + 1e-6


@settings(deadline=None)
@given(IMAGES)
def test_an_image_of_the_right_size_is_not_touched(image: Image) -> None:
    np.testing.assert_array_equal(resized(image, *image.shape[:2]), image)


def test_fine_stripes_become_grey_and_not_other_stripes() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), (60, 30))[..., np.newaxis]
    np.testing.assert_allclose(resized(stripes, 20, 12)[2:-2, 2:-2], 0.5, atol=0.06)


def test_channels_do_not_mix() -> None:
    image = np.zeros((9, 9, 3), np.float32)
    image[..., 1] = 1
    np.testing.assert_array_equal(resized(image, 4, 5), np.broadcast_to([0, 1, 0], (4, 5, 3)))
