"""Images of any size are reconstructed tile by tile in blocks, and scored in their own size."""

from collections.abc import Iterator

import numpy as np
import pytest

from cae.core.arrays import Images
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.resizing import resize
from cae.datasets.samples import Sample
from cae.datasets.tiles import Tiling
from cae.metrics import error_maps
from cae.metrics.tiled_scores import (
    Reconstruction,
    ScoredImage,
    compute_scores,
    compute_squared_errors,
    reconstruct_images,
    score_images,
    tile_samples,
)


def draw_samples(*shapes: tuple[int, ...]) -> Iterator[Sample]:
    generator = np.random.default_rng(0)
    for index, shape in enumerate(shapes):
        yield Sample(str(index), generator.integers(0, 256, shape, dtype=np.uint8))


def halve(images: Images) -> Images:
    """Stand for a network: every pixel becomes half as light."""
    return images / np.float32(2)


def reconstruct(*shapes: tuple[int, ...], preprocessing: Preprocessing | None = None) -> list[Reconstruction]:
    preprocessing = preprocessing or Preprocessing()
    return list(reconstruct_images(tile_samples(draw_samples(*shapes), preprocessing), preprocessing, halve))


def score(*shapes: tuple[int, ...], preprocessing: Preprocessing | None = None) -> list[ScoredImage]:
    preprocessing = preprocessing or Preprocessing()
    samples = tile_samples(draw_samples(*shapes), preprocessing)
    return list(score_images(samples, preprocessing, compute_squared_errors(halve)))


@pytest.mark.parametrize("tiling", [None, Tiling(12, 12), Tiling(12, 5)])
def test_images_of_any_size_keep_their_order_and_size(tiling: Tiling | None) -> None:
    shapes = [(28, 28), (28, 28), (1, 1), (2, 60), (23, 23, 3), (28, 28)]
    images = reconstruct(*shapes, preprocessing=Preprocessing(tiling=tiling))
    assert [image.name for image in images] == [str(index) for index in range(6)]
    for image, sample in zip(images, draw_samples(*shapes), strict=True):
        assert image.size == sample.pixels.shape[:2]
        half = (sample.pixels / np.float32(510)).squeeze()
        np.testing.assert_allclose(image.reconstruction.squeeze(), half, rtol=1e-6)


@pytest.mark.parametrize("tiling", [None, Tiling(12, 12), Tiling(12, 5)])
def test_errors_of_tiles_are_stitched_as_the_image(tiling: Tiling | None) -> None:
    shapes = [(28, 28), (2, 60), (23, 23, 3)]
    for image, sample in zip(
        score(*shapes, preprocessing=Preprocessing(tiling=tiling)), draw_samples(*shapes), strict=True
    ):
        np.testing.assert_array_equal(image.image.squeeze(), (sample.pixels / np.float32(255)).squeeze())
        np.testing.assert_allclose(image.errors, np.square(image.image / 2).mean(axis=-1), rtol=1e-5)


def test_resized_images_are_scored_after_resizing_and_mapped_in_their_own_size() -> None:
    (image,) = score((100, 60), preprocessing=Preprocessing(size=(28, 36)))
    assert image.errors.shape == (28, 36)
    assert image.compute_score(1.5) == error_maps.compute_score(image.errors, 1.5)
    assert compute_scores([image]).tolist() == [image.errors.mean(dtype=np.float64)]
    smoothed: Images = np.sqrt(error_maps.smooth(image.errors, 1.5))
    expected = resize(smoothed[..., np.newaxis], 100, 60)[..., 0]
    np.testing.assert_array_equal(image.compute_error_map(1.5), expected)


def test_error_maps_above_1_are_resized_as_those_below() -> None:
    (image,) = score((100, 60), preprocessing=Preprocessing(size=(28, 36)))
    larger = image._replace(errors=image.errors * np.float32(64))
    np.testing.assert_array_equal(larger.compute_error_map(), image.compute_error_map() * np.float32(8))


@pytest.mark.parametrize(
    ("side", "tiling", "blocks"),
    [(28, None, [500, 100]), (252, None, [6] * 100), (252, Tiling(28, 28), [500] * 97 + [100])],
)
def test_blocks_are_bounded_and_no_more_images_are_read_than_one_needs(
    side: int, tiling: Tiling | None, blocks: list[int]
) -> None:
    sizes: list[int] = []
    read: list[str] = []

    def record(images: Images) -> Images:
        sizes.append(len(images))
        return images

    def samples() -> Iterator[Sample]:
        for index in range(600):
            read.append(str(index))
            yield Sample(str(index), np.zeros((side, side), np.uint8))

    preprocessing = Preprocessing(tiling=tiling)
    images = reconstruct_images(tile_samples(samples(), preprocessing), preprocessing, record)
    next(images)
    assert len(read) <= max(1, blocks[0] if tiling is None else 7)
    for _ in images:
        pass
    assert sizes == blocks
