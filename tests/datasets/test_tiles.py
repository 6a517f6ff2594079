"""Tiles cover every pixel of a picture, and put together again they are it."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.datasets.tiles import Tiling

Image = npt.NDArray[np.float32]
SIDES = st.integers(1, 20)
IMAGES = arrays.arrays(
    np.float32, st.tuples(SIDES, SIDES, st.sampled_from([1, 3])), elements=st.floats(0, 1, width=32)
)
TILINGS = st.integers(1, 9).flatmap(lambda size: st.builds(Tiling, st.just(size), st.integers(1, size)))


@settings(deadline=None)
@given(IMAGES, TILINGS)
def test_stitching_undoes_cutting(image: Image, tiling: Tiling) -> None:
    height, width = image.shape[:2]
    np.testing.assert_array_equal(tiling.stitch(tiling.cut(image), height, width), image)


@settings(deadline=None)
@given(IMAGES, TILINGS)
def test_every_tile_has_its_size_and_every_pixel_a_tile(image: Image, tiling: Tiling) -> None:
    height, width = image.shape[:2]
    tiles = list(tiling.cut(image))
    assert {tile.shape for tile in tiles} == {(tiling.size, tiling.size, image.shape[2])}
    covered = np.zeros((height, width), bool)
    for y, x in tiling.list_positions(height, width):
        covered[y : y + tiling.size, x : x + tiling.size] = True
    assert covered.all()
    assert len(tiles) == len(tiling.list_positions(height, width))


@settings(deadline=None)
@given(st.integers(1, 200), TILINGS)
def test_tiles_begin_once_each_in_order_and_end_at_the_edge(length: int, tiling: Tiling) -> None:
    starts = tiling.list_starts(length)
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] == max(0, length - tiling.size)
    assert all(later - earlier <= tiling.stride for earlier, later in pairwise(starts))


def test_overlaps_are_averaged() -> None:
    maps = [np.full((2, 2, 1), value, np.float32) for value in (0, 1)]
    assert Tiling(2, 1).stitch(maps, 2, 3)[0, :, 0].tolist() == [0, 0.5, 1]


def test_a_map_may_have_other_channels_than_the_picture() -> None:
    tiling = Tiling(4, 3)
    errors = (tile.mean(axis=-1, keepdims=True) for tile in tiling.cut(np.ones((9, 5, 3), np.float32)))
    np.testing.assert_array_equal(tiling.stitch(errors, 9, 5), np.ones((9, 5, 1)))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_maps_as_places_are_needed(count: int) -> None:
    maps = [np.zeros((2, 2, 1), np.float32)] * count
    with pytest.raises(ValueError, match="zip"):
        Tiling(2, 2).stitch(maps, 2, 4)


@pytest.mark.parametrize(("size", "stride"), [(4, 5), (4, 0), (0, 0), (-1, 1)])
def test_tiles_with_gaps_are_refused(size: int, stride: int) -> None:
    with pytest.raises(ValueError, match="leave no gaps"):
        Tiling(size, stride)
