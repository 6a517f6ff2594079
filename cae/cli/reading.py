"""What the commands read: images, preprocessed for a network; and that no command overwrites it."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from cae.cli.options import InputOptions
from cae.core import words
from cae.core.errors import UserError
from cae.datasets import formats
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.samples import Sample, Source
from cae.datasets.tiles import Tiling
from cae.metrics.scoring import Reconstruction, TiledImage, reconstruct_images, tile_samples
from cae.networks.resizable import ResizableAutoencoder


class Reader(NamedTuple):
    """A network, and how samples are preprocessed for it."""

    network: ResizableAutoencoder
    preprocessing: Preprocessing

    @classmethod
    def load(cls, options: InputOptions) -> Self:
        """Load the network; UserError if the options contradict each other or do not suit it."""
        chosen = [options.resize, options.resize_to is not None, options.tiles is not None]
        if sum(chosen) > 1:
            raise UserError("--resize, --resize-to and --tiles exclude each other: choose one")
        if options.resize_to and min(options.resize_to) < 1:
            raise UserError(f"--resize-to is {options.resize_to}, but both sides must be at least 1")
        network = ResizableAutoencoder(options.model)
        height, width, channels = network.image_shape
        if options.grey and channels != 1:
            raise UserError(f"{network.path} takes colour images: leave --grey out")
        stride = options.tiles
        if stride is not None and not (height == width and 1 <= stride <= height):
            raise UserError(
                f"--tiles is {stride}, and the network takes images of {height}×{width}: it must be a square "
                f"size, and the tiles 1 to {height} pixels apart"
            )
        preprocessing = Preprocessing(
            window=options.window,
            channels=1 if options.grey else None,
            size=(height, width) if options.resize else options.resize_to,
            tiling=None if stride is None else Tiling(height, stride),
        )
        return cls(network, preprocessing)

    def tile(self, samples: Iterable[Sample]) -> Iterator[TiledImage]:
        """Preprocess samples and cut them into tiles; UserError if they do not suit the network."""
        return tile_samples(map(self.check_channels, samples), self.preprocessing)

    def reconstruct(self, samples: Iterable[Sample]) -> Iterator[Reconstruction]:
        """Reconstruct samples; UserError if they do not suit the network."""
        return reconstruct_images(self.tile(samples), self.preprocessing, self.network.reconstruct)

    def check_channels(self, sample: Sample) -> Sample:
        """Return the sample; UserError if the network takes images with another number of channels."""
        found = self.preprocessing.channels or (*sample.pixels.shape, 1)[2]
        wanted = self.network.image_shape[-1]
        if found != wanted:
            remedy = "add --grey" if wanted == 1 else "use colour images, or a network for grey ones"
            raise UserError(
                f"{sample.name!r} has {words.pluralize(found, 'channel')}, but {self.network.path} takes "
                f"images with {wanted}: {remedy}"
            )
        return sample


@contextmanager
def read_samples(source: Source) -> Iterator[Iterator[Sample]]:
    """Read the samples of a source; list the files that were skipped on stderr at the end.

    On a terminal, the number of images and the time are shown meanwhile.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.completed:,.0f} images"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            yield iter(progress.track(source, total=None))
    finally:
        for skipped in source.skipped:
            print(f"skipped: {skipped.reason}", file=sys.stderr)


def check_outputs(inputs: Sequence[Path | None], files: Sequence[Path], folders: Sequence[Path] = ()) -> None:
    """Check that a command neither overwrites what it reads nor writes images into a folder that it reads.

    Args:
        inputs: files and folders that are read; None is ignored.
        files: that are written.
        folders: that images are written into.

    Raises:
        UserError: it would, or a file that is an image or a dataset would be overwritten.
    """
    for path in filter(None, inputs):
        for out in (*files, *folders):
            if out.resolve() == path.resolve():
                raise UserError(f"{out} is read, and would be overwritten: choose another output")
        for out in folders:
            if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
                raise UserError(f"{out} is in {path}, which is read: choose another output folder")
    for out in files:
        file_format = formats.detect_format(out) if out.is_file() else None
        if file_format and file_format.kind != "npz":
            raise UserError(
                f"{out} is an image or a dataset, and would be overwritten: choose another output"
            )
