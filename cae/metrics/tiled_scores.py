"""Reconstruct images of any size, and score them: the command line and the stage detect both do it here.

An image is preprocessed and cut into tiles that a network takes; a small image is one tile. Tiles of several
images are reconstructed or scored together in blocks, then stitched. Images come one after another, and few
of them are in memory at a time.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, tee
from typing import Any, NamedTuple

import numpy as np

from cae.core.arrays import Images, Scores
from cae.core.blocks import stack_blocks
from cae.datasets.intensity import Image
from cae.datasets.prepared import PreparedSplit
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.resizing import resize
from cae.datasets.samples import Sample
from cae.metrics import error_maps
from cae.metrics.error_maps import ErrorMap, ErrorMaps

Reconstruct = Callable[[Images], Images]
"""Images or tiles (N, h, w, C) in [0, 1] → reconstructions of the same shape."""
ComputeErrors = Callable[[Images], ErrorMaps]
"""Images or tiles (N, h, w, C) in [0, 1] → error maps (N, h, w) ≥ 0."""


class TiledImage(NamedTuple):
    """A preprocessed image, cut into tiles."""

    name: str
    tiles: Sequence[Image] | Images  # each (h, w, C) in [0, 1], as `Preprocessing.cut` yields them
    shape: tuple[int, int]  # height and width after preprocessing, before padding
    size: tuple[int, int]  # height and width of the image as stored


class Reconstruction(NamedTuple):
    """An image and its reconstruction."""

    name: str
    reconstruction: Image  # (H, W, C) in [0, 1], in the size after preprocessing
    size: tuple[int, int]  # height and width of the image as stored: H and W unless it was resized


class ScoredImage(NamedTuple):
    """An image and its errors."""

    name: str
    image: Image  # (H, W, C) in [0, 1], after preprocessing
    errors: ErrorMap  # (H, W) ≥ 0
    size: tuple[int, int]  # height and width of the image as stored: H and W unless it was resized

    def compute_score(self, smoothing: float | None = None) -> float:
        """Return the anomaly score, see `error_maps.compute_score`."""
        return error_maps.compute_score(self.errors, smoothing)

    def compute_error_map(self, smoothing: float | None = None) -> ErrorMap:
        """Return the root of the error of each pixel of the image as stored, (height, width) ≥ 0.

        Errors are smoothed first. The root of a squared error is an absolute error.
        """
        roots: Image = np.sqrt(error_maps.smooth(self.errors, smoothing))[..., np.newaxis]
        # resize clips to [0, 1], so it gets smaller values. A division by a power of two is exact.
        scale = np.float32(2.0 ** max(0, math.frexp(float(roots.max()))[1]))
        scaled: Image = roots / scale
        return resize(scaled, *self.size)[..., 0] * scale


def tile_samples(samples: Iterable[Sample], preprocessing: Preprocessing) -> Iterator[TiledImage]:
    """Preprocess samples and cut them into tiles; raises as `Preprocessing.apply`."""
    for sample in samples:
        image = preprocessing.apply(sample)
        tiles = list(preprocessing.cut(image))
        yield TiledImage(sample.name, tiles, image.shape[:2], sample.pixels.shape[:2])


def iterate_tiled(split: PreparedSplit) -> Iterator[TiledImage]:
    """Yield the prepared images of a split, which are tiled already."""
    for sample, tiles in split.iterate():
        yield TiledImage(sample.name, tiles, sample.preprocessed_size, sample.size)


def map_tiles(
    images: Iterable[TiledImage], function: Callable[[Images], Any]
) -> Iterator[tuple[TiledImage, Iterator[Any]]]:
    """Apply a function of blocks of tiles, and yield each image with the results of its tiles.

    The results of an image must be consumed before the next image is asked for.
    """
    images, ahead = tee(images)
    tiles = chain.from_iterable(image.tiles for image in ahead)
    results = chain.from_iterable(map(function, stack_blocks(tiles)))
    for image in images:
        yield image, islice(results, len(image.tiles))


def reconstruct_images(
    images: Iterable[TiledImage], preprocessing: Preprocessing, reconstruct: Reconstruct
) -> Iterator[Reconstruction]:
    """Yield the reconstructions of images, in their order."""
    for image, tiles in map_tiles(images, reconstruct):
        yield Reconstruction(image.name, preprocessing.stitch(tiles, *image.shape), image.size)


def score_images(
    images: Iterable[TiledImage], preprocessing: Preprocessing, compute_errors: ComputeErrors
) -> Iterator[ScoredImage]:
    """Yield images with their errors, in their order; where tiles overlap, errors are averaged."""
    for image, tiles in map_tiles(images, compute_errors):
        original = preprocessing.stitch(iter(image.tiles), *image.shape)
        errors = preprocessing.stitch((tile[..., np.newaxis] for tile in tiles), *image.shape)
        yield ScoredImage(image.name, original, errors[..., 0], image.size)


def compute_squared_errors(reconstruct: Reconstruct) -> ComputeErrors:
    """Return the function that computes the squared errors of reconstructions."""
    return lambda tiles: error_maps.compute_error_maps(tiles, reconstruct(tiles))


def compute_scores(images: Iterable[ScoredImage], smoothing: float | None = None) -> Scores:
    """Return the anomaly scores (N,) of images."""
    return np.array([image.compute_score(smoothing) for image in images])
