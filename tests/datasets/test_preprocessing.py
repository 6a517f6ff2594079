"""Resizing, padding and tiles: nothing that was there is lost, and stitching undoes cutting."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.datasets.preprocessing import Preprocessing
from cae.datasets.resizing import next_valid_side, pad_by_mirroring, resize
from cae.datasets.samples import Sample
from cae.datasets.tiles import Tiling

Image = npt.NDArray[np.float32]
SIDES = st.integers(1, 20)
IMAGES = arrays.arrays(
    np.float32, st.tuples(SIDES, SIDES, st.sampled_from([1, 3])), elements=st.floats(0, 1, width=32)
)
TILINGS = st.integers(1, 9).flatmap(lambda size: st.builds(Tiling, st.just(size), st.integers(1, size)))


# Resizing and padding


@settings(deadline=None)
@given(IMAGES, SIDES, SIDES)
def test_padding_reaches_a_size_and_keeps_the_image(image: Image, height: int, width: int) -> None:
    padded = pad_by_mirroring(image, height, width)
    before = image.shape[:2]
    assert padded.shape == (max(height, before[0]), max(width, before[1]), image.shape[2])
    np.testing.assert_array_equal(padded[: before[0], : before[1]], image)


def test_batches_are_padded_as_images_are() -> None:
    images = np.random.default_rng(0).random((2, 23, 73, 1), np.float32)
    np.testing.assert_array_equal(pad_by_mirroring(images, 28, 76)[1], pad_by_mirroring(images[1], 28, 76))


def test_padding_is_the_mirrored_image_without_its_edge() -> None:
    row = np.array([0, 1, 2, 3, 4], np.float32).reshape(1, 5, 1)
    np.testing.assert_array_equal(pad_by_mirroring(row, 1, 8)[0, :, 0], [0, 1, 2, 3, 4, 3, 2, 1])


@settings(deadline=None)
@given(IMAGES, SIDES, SIDES)
def test_a_resized_image_has_its_size_and_stays_in_range(image: Image, height: int, width: int) -> None:
    resized = resize(image, height, width)
    assert resized.shape == (height, width, image.shape[2])
    assert resized.dtype == np.float32
    assert image.min() - 1e-6 <= resized.min()
    assert resized.max() <= image.max() + 1e-6
    np.testing.assert_array_equal(resize(image, *image.shape[:2]), image)


def test_fine_stripes_become_grey_and_not_other_stripes() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), (60, 30))[..., np.newaxis]
    np.testing.assert_allclose(resize(stripes, 20, 12)[2:-2, 2:-2], 0.5, atol=0.06)


def test_channels_are_resized_independently() -> None:
    image = np.zeros((9, 9, 3), np.float32)
    image[..., 1] = 1
    np.testing.assert_array_equal(resize(image, 4, 5), np.broadcast_to([0, 1, 0], (4, 5, 3)))


# Tiles


@settings(deadline=None)
@given(IMAGES, TILINGS)
def test_tiles_cover_every_pixel_and_stitching_undoes_cutting(image: Image, tiling: Tiling) -> None:
    height, width = image.shape[:2]
    tiles = list(tiling.cut(image))
    positions = tiling.list_positions(height, width)
    assert [tile.shape for tile in tiles] == [(tiling.size, tiling.size, image.shape[2])] * len(positions)
    covered = np.zeros((height, width), bool)
    for y, x in positions:
        covered[y : y + tiling.size, x : x + tiling.size] = True
    assert covered.all()
    np.testing.assert_array_equal(tiling.stitch(tiles, height, width), image)


@settings(deadline=None)
@given(st.integers(1, 200), TILINGS)
def test_tiles_start_once_each_in_order_and_end_at_the_edge(length: int, tiling: Tiling) -> None:
    starts = tiling.list_starts(length)
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] == max(0, length - tiling.size)
    assert all(later - earlier <= tiling.stride for earlier, later in pairwise(starts))


def test_overlaps_are_averaged() -> None:
    tiles = [np.full((2, 2, 1), value, np.float32) for value in (0, 1)]
    assert Tiling(2, 1).stitch(tiles, 2, 3)[0, :, 0].tolist() == [0, 0.5, 1]


def test_stitched_tiles_may_have_other_channels_than_the_image() -> None:
    tiling = Tiling(4, 3)
    errors = (tile.mean(axis=-1, keepdims=True) for tile in tiling.cut(np.ones((9, 5, 3), np.float32)))
    np.testing.assert_array_equal(tiling.stitch(errors, 9, 5), np.ones((9, 5, 1)))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_one_tile_per_position_is_needed(count: int) -> None:
    tiles = [np.zeros((2, 2, 1), np.float32)] * count
    with pytest.raises(ValueError, match="zip"):
        Tiling(2, 2).stitch(tiles, 2, 4)


@pytest.mark.parametrize(("size", "stride"), [(4, 5), (4, 0), (0, 0), (-1, 1)])
def test_tiles_with_gaps_are_refused(size: int, stride: int) -> None:
    with pytest.raises(ValueError, match=f"the stride is {stride} for tiles of {size}"):
        Tiling(size, stride)


# All together


@pytest.mark.parametrize(
    ("preprocessing", "size", "tiles"),
    [
        (Preprocessing(), (23, 30), [(28, 36, 3)]),
        (Preprocessing(channels=1), (23, 30), [(28, 36, 1)]),
        (Preprocessing(size=(12, 20)), (12, 20), [(12, 20, 3)]),
        (Preprocessing(tiling=Tiling(20, 10)), (23, 30), [(20, 20, 3)] * 4),
    ],
)
def test_an_image_is_cut_into_tiles_of_one_shape_and_stitched_again(
    preprocessing: Preprocessing, size: tuple[int, int], tiles: list[tuple[int, ...]]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (23, 30, 3), np.uint8)
    image = preprocessing.apply(Sample("a", pixels))
    assert image.shape[:2] == size
    cut = list(preprocessing.cut(image))
    assert [tile.shape for tile in cut] == tiles
    assert preprocessing.count_tiles(*size) == len(tiles)
    np.testing.assert_array_equal(preprocessing.stitch(cut, *size), image)


@given(st.integers(1, 200))
def test_a_valid_side_is_4_more_than_a_multiple_of_8(side: int) -> None:
    assert next_valid_side(side) % 8 == 4
    assert side <= next_valid_side(side) < side + 8
