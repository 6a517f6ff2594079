"""What the commands read: images, preprocessed for a network; and that no command overwrites it."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from cae.cli.options import InputOptions
from cae.core import words
from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.datasets import formats
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.samples import Sample, Source
from cae.datasets.tiles import Tiling
from cae.metrics.error_maps import ErrorMaps
from cae.metrics.scores import Score, build_reconstruction_score
from cae.metrics.tiled_scores import (
    ComputeErrors,
    Reconstruction,
    ScoredImage,
    TiledImage,
    reconstruct_images,
    score_images,
    tile_samples,
)
from cae.networks import end_to_end
from cae.networks.resizable import CACHED_SIZES, ResizableAutoencoder


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
        channels = self.network.image_shape[-1]
        suitable = check_channels(samples, self.preprocessing, channels, self.network.path)
        return tile_samples(suitable, self.preprocessing)

    def reconstruct(self, samples: Iterable[Sample]) -> Iterator[Reconstruction]:
        """Reconstruct samples; UserError if they do not suit the network."""
        return reconstruct_images(self.tile(samples), self.preprocessing, self.network.reconstruct)


class Scorer(NamedTuple):
    """A network or detector that scores samples, and how they are preprocessed for it."""

    path: Path
    channels: int
    preprocessing: Preprocessing
    compute_errors: ComputeErrors
    # As in `error_maps.compute_score`.
    smoothing: float | None
    # The threshold of a detector that has one.
    threshold: float | None = None
    # The root of the error that is drawn white.
    white: float = 1.0
    # Height and width of the tiles that a detector takes; None for any.
    size: tuple[int, int] | None = None

    @classmethod
    def load(cls, options: InputOptions, smoothing: float | None) -> Self:
        """Load a network or a detector; UserError if options do not suit it."""
        metadata = end_to_end.read_metadata(options.model)
        if metadata is None:
            return cls.of_network(Reader.load(options), smoothing)
        check_no_options(
            options.model,
            {
                "--window": options.window,
                "--grey": options.grey or None,
                "--resize": options.resize or None,
                "--resize-to": options.resize_to,
                "--tiles": options.tiles,
                "--smoothing": smoothing,
            },
        )
        score = Score(end_to_end.load(options.model).get_layer(end_to_end.TILES), metadata["white_error"])
        height, width, channels = score.model.input_shape[1:]
        return cls(
            options.model,
            channels,
            end_to_end.read_preprocessing(metadata),
            score.compute_errors,
            metadata["smoothing"],
            metadata["threshold"],
            metadata["white_error"],
            (height, width),
        )

    @classmethod
    def of_network(cls, reader: Reader, smoothing: float | None) -> Self:
        """Score by the reconstruction error of a network, for images of any size that it takes."""
        network = reader.network

        @lru_cache(CACHED_SIZES)
        def measure(height: int, width: int) -> Score:
            return build_reconstruction_score(network.resize(height, width))

        def compute_errors(tiles: Images) -> ErrorMaps:
            return measure(*tiles.shape[1:3]).compute_errors(tiles)

        return cls(network.path, network.image_shape[-1], reader.preprocessing, compute_errors, smoothing)

    def score(self, samples: Iterable[Sample]) -> Iterator[ScoredImage]:
        """Score samples; UserError if they do not suit the network or detector."""
        suitable = check_channels(samples, self.preprocessing, self.channels, self.path)
        tiled = map(self.check_size, tile_samples(suitable, self.preprocessing))
        return score_images(tiled, self.preprocessing, self.compute_errors)

    def check_size(self, image: TiledImage) -> TiledImage:
        """Return the image; UserError if the detector takes another size."""
        found = image.tiles[0].shape[:2]
        if self.size is not None and self.size != found:
            raise UserError(
                f"{image.name!r} is {found[0]}×{found[1]} after preprocessing, but {self.path} takes "
                f"{self.size[0]}×{self.size[1]}: resize it, or fit a detector with data.size or data.tiles"
            )
        return image


def check_no_options(path: Path, options: Mapping[str, object]) -> None:
    """Raise UserError for options that a detector does not need."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UserError(
            f"{path} is a detector, which knows its score and how images are preprocessed: leave out "
            f"{', '.join(given)}"
        )


def check_channels(
    samples: Iterable[Sample], preprocessing: Preprocessing, wanted: int, path: Path
) -> Iterator[Sample]:
    """Yield samples; UserError if the network in `path` takes images with another number of channels."""
    for sample in samples:
        found = preprocessing.channels or (*sample.pixels.shape, 1)[2]
        if found != wanted:
            remedy = (
                "add --grey, or fit a detector with data.channels 1"
                if wanted == 1
                else "use colour images, or a network for grey ones"
            )
            raise UserError(
                f"{sample.name!r} has {words.pluralize(found, 'channel')}, but {path} takes images with "
                f"{wanted}: {remedy}"
            )
        yield sample


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
        # The outputs of encode and export, .npz and .keras, both archives, may be written again.
        if file_format and file_format.kind != "npz":
            raise UserError(
                f"{out} is an image or a dataset, and would be overwritten: choose another output"
            )
