"""Everything between raw pixels and a score in one file, for programs that do not have this one."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import keras

from cae.cli import graph
from cae.core import files
from cae.core.errors import UserError
from cae.datasets.samples import Sample
from cae.networks import end_to_end
from cae.networks.resizable import ResizableAutoencoder

KERAS, ONNX = ".keras", ".onnx"


class Raw(NamedTuple):
    """The pictures that a model takes, and how it looks at them."""

    size: tuple[int, int]  # height and width
    # The values that become 0 and 1.
    window: tuple[float, float]
    # Pixels that the error map is smoothed by.
    spot: float | None = None


def export(trained: ResizableAutoencoder, raw: Raw, threshold: float | None, out: Path) -> keras.Model:
    """Write a model of raw pixels, see `end_to_end.build`, as the name of `out` ends; return it.

    Raises:
        UserError: the network takes no pictures of this size, a package is missing, or the file cannot be
            written.
    """
    own = trained.takes(*raw.size)
    network = trained.own if own else trained.of_size(*map(trained.closing, raw.size))
    model = end_to_end.build(network, *raw, threshold)
    if out.suffix == ONNX:
        files.write_bytes(out, graph.written(model, end_to_end.make_metadata(raw.window)))
    else:
        files.write_model(out, model, end_to_end.make_metadata(raw.window))
    return model


def check_out(out: Path) -> None:
    """Raise UserError, before any work is done, where a file ends otherwise or ONNX cannot be written."""
    if out.suffix not in (KERAS, ONNX):
        raise UserError(f"{out} ends neither in {KERAS} nor in {ONNX}: by its end the kind of file is chosen")
    if out.suffix == ONNX:
        graph.packages()


def check_size(trained: ResizableAutoencoder, size: tuple[int, int]) -> None:
    """Raise UserError where a network takes no pictures of this size."""
    own = trained.image_shape[:2]
    if min(size) < 1:
        raise UserError(f"the size is {size[0]}×{size[1]}, but both sides must be at least 1")
    if not trained.takes(*size) and not trained.stretches:
        raise UserError(f"{trained.path} takes pictures of {own[0]}×{own[1]} alone: leave --size out")


def fitting(
    pictures: Iterable[Sample], trained: ResizableAutoencoder, size: tuple[int, int]
) -> Iterator[Sample]:
    """Pass on pictures that the model takes as they are; UserError names another."""
    wanted = (*size, trained.channels)
    for picture in pictures:
        found = (*picture.pixels.shape, 1)[:3]
        if found != wanted:
            raise UserError(
                f"{picture.name!r} is {text(found)}, but the model takes {text(wanted)}, as height × width × "
                "channels: say another --size, or use normal pictures of this one"
            )
        yield picture


def text(shape: Iterable[int]) -> str:
    """Write a shape."""
    return " × ".join(map(str, shape))
