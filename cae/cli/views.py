"""Pictures as a network sees them, and what it answers, one after another: memory does not grow with them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from cae.core import words
from cae.core.arrays import Rows
from cae.core.blocks import block_size
from cae.core.errors import UserError
from cae.datasets import intensity, resizing
from cae.datasets.intensity import Image
from cae.datasets.samples import Sample
from cae.datasets.tiles import Tiling
from cae.metrics import error_maps
from cae.metrics.error_maps import ErrorMap
from cae.networks.autoencoder import predict
from cae.networks.resizable import ResizableAutoencoder


class Seeing(NamedTuple):
    """How a picture becomes what a network sees. Nothing is resized, cut or made grey unless asked for."""

    # The grey values that become 0 and 1.
    window: tuple[float, float] | None = None
    grey: bool = False
    # Height and width to stretch to.
    size: tuple[int, int] | None = None
    # Pixels from one tile to the next.
    tiles: int | None = None


class View(NamedTuple):
    """What a network sees of a picture."""

    name: str
    image: Image  # (H, W, C) in [0, 1]
    size: tuple[int, int]  # the picture's own height and width


class Answer(NamedTuple):
    """What a network makes of a picture."""

    name: str
    image: Image  # (H, W, C) in [0, 1], what was to be reconstructed
    reconstruction: Image  # likewise
    size: tuple[int, int]  # of the picture that came in: H, W but where it was resized

    @property
    def squared_error(self) -> ErrorMap:
        """The squared error of each pixel, (H, W) in [0, 1], the mean over channels."""
        return error_maps.compute_error_map(self.image, self.reconstruction)

    def sized(self, image: Image) -> Image:
        """Bring an image (H, W, C) of the answer to the size of the picture that came in."""
        return resizing.resize(image, *self.size)


def answers(pictures: Iterable[Sample], trained: ResizableAutoencoder, seeing: Seeing) -> Iterator[Answer]:
    """Yield what a network makes of pictures, in their order.

    Pictures that it does not close on are mirrored at their lower and right edges first, and cut back.

    Raises:
        UserError: a picture that does not suit the network; see `seen`.
    """
    if seeing.tiles is not None:
        yield from tiled(pictures, trained, seeing, seeing.tiles)
        return
    for batch in batches(pictures, trained, seeing):
        images = np.stack([view.image for view in batch])
        height, width = images.shape[1:3]
        whole = closed(images, trained)
        made = predict(trained.of_size(*whole.shape[1:3]).network, whole)[:, :height, :width]
        for view, reconstruction in zip(batch, made):
            yield Answer(view.name, view.image, reconstruction, view.size)


def codes(
    pictures: Iterable[Sample], trained: ResizableAutoencoder, seeing: Seeing
) -> Iterator[tuple[str, Rows]]:
    """Yield the name and the code (D,) of each picture, in their order; raises as `answers`."""
    for batch in batches(pictures, trained, seeing):
        whole = closed(np.stack([view.image for view in batch]), trained)
        rows = predict(trained.of_size(*whole.shape[1:3]).encoder, whole)
        for view, row in zip(batch, rows.reshape(len(rows), -1)):
            yield view.name, row


def batches(
    pictures: Iterable[Sample], trained: ResizableAutoencoder, seeing: Seeing
) -> Iterator[list[View]]:
    """Group pictures that follow one another and have one size, as many as fit."""
    batch: list[View] = []
    for picture in pictures:
        image = seen(picture, trained, seeing)
        height, width = picture.pixels.shape[:2]
        if seeing.size is not None:
            image = resizing.resize(image, *seeing.size)
        if batch and (batch[0].image.shape != image.shape or len(batch) >= block_size(*image.shape[:2])):
            yield batch
            batch = []
        batch.append(View(picture.name, image, (height, width)))
    if batch:
        yield batch


def seen(sample: Sample, trained: ResizableAutoencoder, seeing: Seeing) -> Image:
    """Return a picture as (H, W, C) in [0, 1]; UserError where its grey values or channels do not suit."""
    image = intensity.convert_channels(intensity.apply_window(sample, seeing.window))
    found, wanted = image.shape[-1], trained.channels
    if seeing.grey and wanted != 1:
        raise UserError(f"--grey makes grey pictures, but {trained.path} takes those in colour: leave it out")
    if found == wanted:
        return image
    if wanted == 1 and seeing.grey:
        return intensity.convert_channels(image, 1)
    remedy = "add --grey" if wanted == 1 else "take pictures in colour, or a network for grey ones"
    raise UserError(
        f"{sample.name!r} has {words.pluralize(found, 'channel')} and {trained.path} takes pictures with "
        f"{wanted}: {remedy}"
    )


def closed(images: Image, trained: ResizableAutoencoder) -> Image:
    """Mirror images (N, H, W, C) at their lower and right edges up to sizes that the network closes on."""
    if trained.takes(*images.shape[1:3]):
        return resizing.pad_by_mirroring(images, *trained.image_shape[:2])
    return resizing.pad_by_mirroring(images, *map(trained.closing, images.shape[1:3]))


def tiled(
    pictures: Iterable[Sample], trained: ResizableAutoencoder, seeing: Seeing, stride: int
) -> Iterator[Answer]:
    """Answer each picture tile by tile; where tiles overlap, the reconstruction is their mean."""
    side, width = trained.image_shape[:2]
    if side != width or not 1 <= stride <= side:
        raise UserError(
            f"--tiles {stride}, and a network for {side}×{width}: tiles are square, 1 to {side} pixels apart"
        )
    tiling = Tiling(side, stride)
    for picture in pictures:
        image = seen(picture, trained, seeing)
        made = reconstructed(tiling.cut(image), trained)
        size = (image.shape[0], image.shape[1])
        yield Answer(picture.name, image, tiling.stitch(made, *size), size)


def reconstructed(tiles: Iterator[Image], trained: ResizableAutoencoder) -> Iterator[Image]:
    """Yield the reconstructions of tiles of the network's own size."""
    while part := list(islice(tiles, block_size(*trained.image_shape[:2]))):
        yield from predict(trained.own.network, np.stack(part))
