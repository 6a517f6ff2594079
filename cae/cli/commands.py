"""What the commands do; their options are in `app`. A user's mistake is a UserError."""

import hashlib
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import keras
import numpy as np
import pandas as pd

from cae.cli.options import InputOptions, Scoring
from cae.cli.reading import Reader, Scorer, check_no_options, check_outputs, read_samples
from cae.core import files, words
from cae.core.arrays import Rows
from cae.core.errors import UserError
from cae.core.image_folder import ImageFolder
from cae.core.words import make_printable
from cae.datasets.intensity import check_window
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.resizing import next_valid_side, resize
from cae.datasets.samples import Sample
from cae.datasets.sources import open_source
from cae.figures.error_maps import colour_error_map
from cae.metrics.error_maps import check_smoothing
from cae.metrics.scores import build_reconstruction_score
from cae.metrics.thresholds import CONFIDENCE, Threshold
from cae.metrics.tiled_scores import compute_scores, map_tiles
from cae.networks import end_to_end, onnx_export
from cae.networks.resizable import ResizableAutoencoder

FALSE_ALARMS = 0.01
KERAS, ONNX = ".keras", ".onnx"


def encode(options: InputOptions, out: Path) -> None:
    """Write `names` (N,) and `codes` float32 (N, D) to an `.npz`."""
    check_outputs([options.images, options.model], [out])
    source, reader = open_source(options.images, options.skip_bad), Reader.load(options)
    with read_samples(source) as samples:
        images = map_tiles(reader.tile(samples), reader.network.encode)
        count = write_codes(((image.name, next(codes)) for image, codes in images), out)
    print(f"codes of {words.pluralize(count, 'image')} in {make_printable(str(out))}")


def write_codes(codes: Iterable[tuple[str, Rows]], out: Path) -> int:
    """Write the names and codes (D,) of images to an `.npz`, and return their number.

    Raises:
        UserError: codes have different lengths, or the file cannot be written.
    """
    names: list[str] = []
    length = 0
    # Codes go to a temporary file first: a .npy file begins with their number, which is known at the end.
    with files.open_atomically(out) as file, tempfile.TemporaryFile(dir=out.parent) as rows:
        for name, code in codes:
            length = length or code.size
            if code.size != length:
                raise UserError(
                    f"the code of {names[0]!r} has {words.pluralize(length, 'number')}, but that of {name!r} "
                    f"has {code.size}: all images must have one size. Add --resize, or encode them separately"
                )
            rows.write(code.astype("<f4").tobytes())
            names.append(name)
        rows.seek(0)
        with zipfile.ZipFile(file, "w") as archive:
            with open_member(archive, "codes.npy") as member:
                files.write_array_header(member, (len(names), length))
                while block := rows.read(1 << 20):
                    member.write(block)
            with open_member(archive, "names.npy") as member:
                np.lib.format.write_array(member, np.array(names, dtype=np.str_), allow_pickle=False)
    return len(names)


def open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a member of an archive for writing, without the current time."""
    return archive.open(zipfile.ZipInfo(name, files.ZIP_EPOCH), "w", force_zip64=True)


def reconstruct(options: InputOptions, out: Path) -> None:
    """Write the reconstruction of each image as an 8-bit PNG in the size of the image."""
    check_outputs([options.images, options.model], [], [out])
    source, reader = open_source(options.images, options.skip_bad), Reader.load(options)
    folder = ImageFolder(out)
    with read_samples(source) as samples:
        for image in reader.reconstruct(samples):
            pixels = np.round(resize(image.reconstruction, *image.size) * 255).astype(np.uint8)
            folder.write(image.name, pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    print(f"{words.pluralize(len(folder.names), 'image')} in {make_printable(str(out))}")


def score(options: InputOptions, scoring: Scoring, out: Path, maps: Path | None) -> None:
    """Write a CSV, one row per image: name, score and, with a threshold, anomaly, 0 or 1.

    With `maps`, write the error map of each image as PNG in the size of the image, from 0, black, to 1.
    """
    check_outputs([options.images, options.model, scoring.normal], [out], [maps] if maps else [])
    check_scoring(scoring)
    source, scorer = open_source(options.images, options.skip_bad), Scorer.load(options, scoring.smoothing)
    threshold = fit_threshold(scoring, scorer, options.skip_bad) or scorer.threshold
    folder = None if maps is None else ImageFolder(maps)
    rows = []
    with read_samples(source) as samples:
        for image in scorer.score(samples):
            rows.append((make_printable(image.name), image.compute_score(scorer.smoothing)))
            if folder is not None:
                errors = image.compute_error_map(scorer.smoothing)
                folder.write(image.name, colour_error_map(errors / np.float32(scorer.white)))
    table = pd.DataFrame(rows, columns=["name", "score"])
    if threshold is not None:
        table["anomaly"] = (table["score"] > threshold).astype(int)
    files.write_csv(out, table)
    print(f"scores of {words.pluralize(len(table), 'image')} in {make_printable(str(out))}")
    if threshold is not None:
        print(f"above the threshold: {table['anomaly'].sum()}")


def check_scoring(scoring: Scoring) -> None:
    """Raise UserError, before anything is read, if a number is out of range or --normal is missing."""
    if scoring.smoothing is not None:
        check_smoothing(scoring.smoothing)
    if scoring.false_alarms is None:
        return
    Threshold.check_rate(scoring.false_alarms)
    if scoring.normal is None:
        raise UserError("--false-alarms needs --normal, the images that set the threshold")


def fit_threshold(
    scoring: Scoring, scorer: Scorer, skip_bad: bool, size: tuple[int, int] | None = None
) -> float | None:
    """Fit a threshold to normal images, if there are any, and print what it promises.

    Args:
        scoring: which images, and the rate of false alarms.
        scorer: how they are scored.
        skip_bad: skip normal images that cannot be read.
        size: height and width that the images must have; None allows any.
    """
    if scoring.normal is None:
        return None
    rate = FALSE_ALARMS if scoring.false_alarms is None else scoring.false_alarms
    with read_samples(open_source(scoring.normal, skip_bad)) as samples:
        suitable = samples if size is None else check_shapes(samples, (*size, scorer.channels))
        scores = compute_scores(scorer.score(suitable), scorer.smoothing)
    threshold = Threshold.fit(scores, rate)
    print(
        f"threshold {threshold.value:.6g}, from {words.pluralize(threshold.images, 'image')}: expected false "
        f"alarm rate {threshold.false_alarms:.2%}, with {CONFIDENCE:.0%} confidence {threshold.low:.2%} to "
        f"{threshold.high:.2%}"
    )
    return threshold.value


def export(
    model: Path,
    scoring: Scoring,
    window: tuple[float, float] | None,
    size: tuple[int, int] | None,
    skip_bad: bool,
    out: Path,
) -> None:
    """Write a model from raw pixels to a score or, with normal images, a decision; see `end_to_end.build`.

    A detector is written as it is, in the other format.
    """
    if out.suffix not in (KERAS, ONNX):
        raise UserError(f"{out} must end in {KERAS} or {ONNX}, which chooses the format")
    if out.suffix == ONNX:
        onnx_export.import_onnx()
    check_outputs([model, scoring.normal], [out])
    metadata = end_to_end.read_metadata(model)
    if metadata is None:
        whole, metadata = build_detector(model, scoring, window or (0, 255), size, skip_bad)
    else:
        options = {
            "--window": window,
            "--size": size,
            "--smoothing": scoring.smoothing,
            "--normal": scoring.normal,
            "--false-alarms": scoring.false_alarms,
        }
        check_no_options(model, options)
        whole = end_to_end.load(model)
    if out.suffix == ONNX:
        files.write_bytes(out, onnx_export.convert(whole, metadata))
    else:
        files.write_model(out, whole, metadata)
    inputs, outputs = describe_shape(whole.input_shape[1:]), ", ".join(whole.output)
    print(f"{inputs} raw pixels to {outputs} in {make_printable(str(out))}")


def build_detector(
    model: Path,
    scoring: Scoring,
    window: tuple[float, float],
    size: tuple[int, int] | None,
    skip_bad: bool,
) -> tuple[keras.Model, Mapping[str, Any]]:
    """Build the detector of a network, and its metadata; raises UserError for options that do not suit it."""
    check_scoring(scoring)
    check_window(window)
    network = ResizableAutoencoder(model)
    size = size or network.image_shape[:2]
    if min(size) < 1:
        raise UserError(f"the size is {size[0]}×{size[1]}, but both sides must be at least 1")
    score = build_reconstruction_score(network.resize(*map(next_valid_side, size)))
    preprocessing = Preprocessing(window)
    scorer = Scorer.of_network(Reader(network, preprocessing), scoring.smoothing)
    threshold = fit_threshold(scoring, scorer, skip_bad, size)
    whole = end_to_end.build(score.model, size, window, scoring.smoothing, threshold)
    return whole, end_to_end.make_metadata(window, preprocessing, scoring.smoothing, threshold, score.white)


def check_shapes(samples: Iterable[Sample], shape: tuple[int, ...]) -> Iterator[Sample]:
    """Yield samples with height, width and channels (H, W, C); UserError names any other."""
    for sample in samples:
        found = (*sample.pixels.shape, 1)[:3]
        if found != shape:
            raise UserError(
                f"{sample.name!r} is {describe_shape(found)}, but the model takes {describe_shape(shape)} "
                "(height × width × channels): choose another --size, or use normal images of this size"
            )
        yield sample


def describe_shape(shape: Iterable[int]) -> str:
    """Write a shape, such as 28 × 28 × 1."""
    return " × ".join(map(str, shape))


def info(model: Path, images: Path | None, skip_bad: bool) -> None:
    """Print what a network takes and gives and, with images, how many of which kinds there are."""
    source = None if images is None else open_source(images, skip_bad)
    network = ResizableAutoencoder(model)
    height, width, channels = network.image_shape
    autoencoder = network.autoencoder
    sizes = "; other sizes too" if network.is_resizable else ""
    print(f"network    {make_printable(str(model))}")
    print(f"md5        {hashlib.md5(model.read_bytes()).hexdigest()}")
    print(f"images     {height} × {width}, {words.pluralize(channels, 'channel')}{sizes}")
    code_size = words.pluralize(autoencoder.code_size, "number")
    print(f"code       {describe_shape(autoencoder.code_shape)} = {code_size}")
    print(f"parameters {autoencoder.network.count_params():,}")
    if source is None:
        return
    kinds, labels, splits = Counter[str](), Counter[str](), Counter[str]()
    with read_samples(source) as samples:
        for sample in samples:
            kinds[f"{describe_shape(sample.pixels.shape)}, {sample.pixels.dtype}"] += 1
            labels.update([sample.label] if sample.label is not None else [])
            splits.update([sample.split] if sample.split is not None else [])
    print(f"source     {make_printable(str(source.path))}, {source.kind}")
    for title, counts in (("images", kinds), ("class", labels), ("split", splits)):
        for name, count in sorted(counts.items()):
            print(f"{title:<10} {make_printable(name)}: {count:,}")
