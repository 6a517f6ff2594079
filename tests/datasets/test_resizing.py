"""Padding changes nothing that was there; resizing keeps means and makes no patterns."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.datasets.resizing import pad_by_mirroring, resize

Image = npt.NDArray[np.float32]
SIDES = st.integers(1, 20)
IMAGES = arrays.arrays(
    np.float32, st.tuples(SIDES, SIDES, st.sampled_from([1, 3])), elements=st.floats(0, 1, width=32)
)


@settings(deadline=None)
@given(IMAGES, SIDES, SIDES)
def test_padding_reaches_a_size_and_keeps_what_was_there(image: Image, height: int, width: int) -> None:
    larger = pad_by_mirroring(image, height, width)
    found = image.shape[:2]
    assert larger.shape == (max(height, found[0]), max(width, found[1]), image.shape[2])
    np.testing.assert_array_equal(larger[: found[0], : found[1]], image)


def test_batches_are_padded_as_images_are() -> None:
    images = np.random.default_rng(0).random((2, 23, 73, 1), np.float32)
    np.testing.assert_array_equal(pad_by_mirroring(images, 28, 76)[1], pad_by_mirroring(images[1], 28, 76))


def test_what_is_added_is_the_mirrored_image() -> None:
    row = np.array([0, 1, 2, 3, 4], np.float32).reshape(1, 5, 1)
    np.testing.assert_array_equal(pad_by_mirroring(row, 1, 8)[0, :, 0], [0, 1, 2, 3, 4, 3, 2, 1])


@settings(deadline=None)
@given(IMAGES, SIDES, SIDES)
def test_a_resize_image_has_its_size_and_stays_in_range(image: Image, height: int, width: int) -> None:
    found = resize(image, height, width)
    assert found.shape == (height, width, image.shape[2])
    assert found.dtype == np.float32
    assert image.min() - 1e-6 <= found.min()
    assert found.max() <= image.max() + 1e-6


@settings(deadline=None)
@given(IMAGES)
def test_an_image_of_the_right_size_is_not_touched(image: Image) -> None:
    np.testing.assert_array_equal(resize(image, *image.shape[:2]), image)


def test_fine_stripes_become_grey_and_not_other_stripes() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), (60, 30))[..., np.newaxis]
    np.testing.assert_allclose(resize(stripes, 20, 12)[2:-2, 2:-2], 0.5, atol=0.06)


def test_channels_do_not_mix() -> None:
    image = np.zeros((9, 9, 3), np.float32)
    image[..., 1] = 1
    np.testing.assert_array_equal(resize(image, 4, 5), np.broadcast_to([0, 1, 0], (4, 5, 3)))
