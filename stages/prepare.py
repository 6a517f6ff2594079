"""Read the images, normalise them to [0, 1] and split them."""

import sys
from collections import Counter
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from cae.core import words
from cae.core.config import Section
from cae.core.errors import UserError
from cae.core.image_folder import check_name
from cae.datasets import fashion_mnist, group_splits, masks, prepared, sources
from cae.datasets.group_splits import Shares
from cae.datasets.prepared import SampleInfo
from cae.datasets.samples import Source
from cae.datasets.splits import draw_indices
from cae.metrics import scores
from cae.metrics.thresholds import Threshold
from cae.networks.model import Model
from stages.runner.project import PREPARED, Project, Results
from stages.settings import FASHION_MNIST, LEAST_SIDE, Anomaly, Data, Split

# Images of Fashion-MNIST.
TRAIN_IMAGES, TEST_IMAGES = 60_000, 10_000
# PCA at the default code size, the baseline, needs as many images.
LEAST_TRAIN = 128
# The window of structural similarity.
SSIM_WINDOW = 11
# Images of 12 bits that are stored in 16 are no brighter than 0.06.
DARK = 0.1
# Tiles of a split, at least: a principal component needs two, an embedding a neighbour and another code.
LEAST_TILES = {"train": 2, "test": 3}


class Settings(Section):
    """What the stage reads of params.yaml."""

    data: Data
    split: Split
    anomaly: Anomaly = Anomaly()
    # To say before training whether it can be built, and the score fitted; Fashion-MNIST has no anomalies.
    model: Model | None = None


def prepare(project: Project, settings: Settings) -> Results:
    """Return the images of every split, and what is known of them besides their pixels."""
    if settings.data.source == FASHION_MNIST:
        return prepare_fashion_mnist(project, settings.split)
    return prepare_images(project, settings)


def prepare_fashion_mnist(project: Project, split: Split) -> Results:
    """Fill data/raw from the first mirror that answers, and draw the splits by number of images.

    Raises:
        UserError: no mirror has the files, or the numbers of images are not possible.
    """
    check_counts(split)
    source = fashion_mnist.fetch(project.folder / "data/raw")
    for note in source.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"Fashion-MNIST from {source.origin}: every byte as expected")
    # Validation first, so that a smaller training split never moves it.
    sizes = {"validation": int(split.validation), "train": int(split.train)}
    train = draw_indices(len(source.train_images), sizes, split.seed)
    test = draw_indices(len(source.test_images), {"test": int(split.test)}, split.seed)
    results: Results = {f"{PREPARED}/{prepared.CLASS_NAMES}": list(source.class_names)}
    for name, indices in {**train, **test}.items():
        images, labels = (
            (source.test_images, source.test_labels)
            if name == "test"
            else (source.train_images, source.train_labels)
        )
        results |= {
            f"{PREPARED}/{name}_images.npy": prepared.normalise(images[indices]),
            f"{PREPARED}/{name}_labels.npy": labels[indices],
            f"{PREPARED}/{name}_indices.npy": indices,
        }
    return results


def check_counts(split: Split) -> None:
    """Raise UserError unless Fashion-MNIST has as many images as the splits ask for."""
    counts = (split.train, split.validation, split.test)
    if not all(isinstance(count, int) for count in counts) or split.threshold:
        raise UserError(
            "split.train, split.validation and split.test are numbers of images for fashion-mnist, such as "
            "50000, 10000 and 10000, and there is no split.threshold"
        )
    if split.train < LEAST_TRAIN:
        raise UserError(
            f"split.train is {split.train}, but PCA needs at least {LEAST_TRAIN} images: raise it"
        )
    if split.train + split.validation > TRAIN_IMAGES:
        raise UserError(
            f"split.train + split.validation is {split.train + split.validation}, but both are drawn from "
            f"{TRAIN_IMAGES:,} images: lower one of them"
        )
    if split.test > TEST_IMAGES:
        raise UserError(f"split.test is {split.test}, but there are {TEST_IMAGES:,} test images")


def prepare_images(project: Project, settings: Settings) -> Results:
    """Split images so that nothing leaks, and cut them to tiles of one shape; the source is read twice."""
    data = settings.data
    source = sources.open_source(project.path(data.source), data.skip_bad)
    samples = prepared.describe_samples(source, data.preprocessing)
    for skipped in source.skipped:
        print(f"skipped: {skipped.reason}", file=sys.stderr)
    samples = split_samples(samples, settings.split, find_normal_class(source, data.normal, samples))
    print_split(source, samples, settings.split.seed)
    check_threshold(samples, settings.anomaly.false_alarms)
    check_sizes(samples, data)
    if settings.model is not None:
        check_score(samples, settings.anomaly, settings.model)
    check_tiles(samples)
    masks.check_masks(source.path, samples)
    print(f"{source.path}, {source.kind}:", count_samples(samples))
    return {PREPARED: partial(write_images, source=source, data=data, samples=samples)}


def write_images(folder: Path, source: Source, data: Data, samples: Sequence[SampleInfo]) -> None:
    """Write the tiles of all samples, and warn where they are dark."""
    prepared.write(folder, source, data.preprocessing, samples)
    train = prepared.read_images(folder, "train")
    brightest = max(float(tile.max()) for tile in train)
    if brightest < DARK:
        values = "its range" if data.window is None else f"{data.window[0]:g} to {data.window[1]:g}"
        print(
            f"note: no training pixel is brighter than {brightest:.3f} of {values}: set data.window in "
            "params.yaml to the values that become black and white",
            file=sys.stderr,
        )


def find_normal_class(source: Source, asked: str | None, samples: Sequence[SampleInfo]) -> str | None:
    """Return the class of normal images; None where all are normal.

    Raises:
        UserError: no image is of the class that is asked for.
    """
    if asked is None:
        return source.normal
    labels = sorted({sample.label for sample in samples if sample.label is not None})
    if asked not in labels:
        raise UserError(
            f"data.normal is {asked!r}, but the classes in {source.path} are "
            f"{', '.join(map(repr, labels)) or 'none'}: name one of them, or write null"
        )
    unlabelled = sum(sample.label is None for sample in samples)
    if unlabelled:
        raise UserError(
            f"{words.pluralize(unlabelled, 'image')} in {source.path} have no label, so it is unknown "
            "whether they are normal: give labels to all, or write null as data.normal"
        )
    return asked


def split_samples(samples: Sequence[SampleInfo], split: Split, normal: str | None) -> list[SampleInfo]:
    """Assign every sample to a split: anomalous ones to the test alone.

    Raises:
        UserError: as `group_splits.assign_splits`, or a group is only partly normal.
    """
    samples = [sample._replace(normal=normal is None or sample.label == normal) for sample in samples]
    normal_samples = [sample for sample in samples if sample.normal]
    if not normal_samples:
        raise UserError(f"no image is of the class {normal!r}, which is to be learned: add some")
    if any(isinstance(share, int) for share in (split.train, split.validation, split.test)):
        raise UserError("split.train, split.validation and split.test are shares of all images, such as 0.6")
    splits = group_splits.assign_splits(
        [sample.group for sample in normal_samples],
        [sample.given_split for sample in normal_samples],
        Shares(split.train, split.validation, split.test, split.threshold),
        split.seed,
        {"test"} if any(sample.given_split == "test" for sample in samples) else (),
    )
    remaining = iter(splits)
    # By their order: names need not be unique before check_sizes.
    placed = [sample._replace(split=next(remaining) if sample.normal else "test") for sample in samples]
    group_splits.check_groups([sample.group for sample in placed], [sample.split for sample in placed])
    return placed


def print_split(source: Source, samples: Sequence[SampleInfo], seed: int) -> None:
    """Print which splits the source determines, and what a test without normal images cannot measure."""
    given = {sample.split for sample in samples if sample.split == sample.given_split} - {"train"}
    drawn = {sample.split for sample in samples} - given
    origin = "your folders" if source.path.is_dir() else "the source"
    if not given:
        text = f"drawn with split.seed {seed}"
    # What is left of a folder train is determined by that folder, too.
    elif drawn <= {"train"}:
        text = f"as in {origin}"
    else:
        text = f"{join_splits(given)} as in {origin}; {join_splits(drawn)} drawn with split.seed {seed}"
    if any(not sample.normal and sample.given_split not in (None, "test") for sample in samples):
        text += "; anomalous images of other folders are in the test, too"
    print(f"split: {text}")
    if not any(sample.split == "test" and sample.normal for sample in samples):
        print(
            "note: the test has no normal image, so reconstruction, auroc and false_alarms cannot be "
            "measured; caught can. Put some normal images there",
            file=sys.stderr,
        )


def join_splits(chosen: Collection[str]) -> str:
    """Name splits in the order in which they are used."""
    return ", ".join(split for split in prepared.SPLITS if split in chosen)


def check_tiles(samples: Sequence[SampleInfo]) -> None:
    """Raise UserError, before any training, where later stages would have too few images."""
    for split, least in LEAST_TILES.items():
        tiles = sum(sample.tiles for sample in samples if sample.split == split)
        if tiles < least:
            raise UserError(
                f"the {split} split has {words.pluralize(tiles, 'tile')}, but at least {least} are needed: "
                f"add images, or raise split.{split}"
            )


def check_threshold(samples: Sequence[SampleInfo], false_alarms: float) -> None:
    """Raise UserError, before any training, where images are too few for the threshold that is wanted."""
    count = sum(sample.split == "threshold" for sample in samples)
    needed = Threshold.count_needed(false_alarms)
    if 0 < count < needed:
        given = any(sample.given_split == sample.split == "threshold" for sample in samples)
        remedy = (
            "add images there, allow more (anomaly.false_alarms in params.yaml), or leave that folder out"
            if given
            else "add images, raise split.threshold, allow more (anomaly.false_alarms in params.yaml), or "
            "set split.threshold to 0: then there is no threshold"
        )
        raise UserError(
            f"held out to set the threshold: {words.pluralize(count, 'normal image')}; for false alarms of "
            f"{false_alarms:g} at least {needed} are needed: {remedy}"
        )


def check_score(samples: Sequence[SampleInfo], anomaly: Anomaly, model: Model) -> None:
    """Raise UserError, before any training, where the network is too large or its score cannot be fitted."""
    autoencoder = model.build(samples[0].shape, seed=0)
    tiles = Counter[str]()
    for sample in samples:
        tiles[sample.split] += sample.tiles
    scores.check(anomaly, autoencoder, tiles["train"], tiles["validation"])


def check_sizes(samples: Sequence[SampleInfo], data: Data) -> None:
    """Raise UserError, before any training, where later stages could not measure or write the images."""
    if data.tiles is not None:
        for sample in samples:
            check_tile(data.tiles.size, sample)
    height, width = samples[0].preprocessed_size
    if data.tiles is None and min(height, width) < SSIM_WINDOW:
        raise UserError(
            f"images are {height}×{width}, but structural similarity, by which they are measured, needs at "
            f"least {SSIM_WINDOW}×{SSIM_WINDOW} pixels: ask for a larger size, such as data.size [28, 28]"
        )
    taken: set[str] = set()
    for sample in samples:
        check_name(sample.name, taken)
        taken.add(sample.name)


def check_tile(size: int, sample: SampleInfo) -> None:
    """Raise UserError where a tile is larger than an image: most of it would be mirrored."""
    height, width = sample.preprocessed_size
    shorter = min(height, width)
    if size > shorter:
        largest = shorter - (shorter - 4) % 8
        remedy = f"lower it to at most {largest}" if largest >= LEAST_SIDE else "leave data.tiles out"
        raise UserError(
            f"data.tiles.size is {size}, larger than {sample.name!r} with {height}×{width} pixels: {remedy}, "
            "or resize the images (data.size)"
        )


def count_samples(samples: Sequence[SampleInfo]) -> str:
    """Count the images of every split, and all tiles, in words."""
    counts = Counter(sample.split for sample in samples)
    tiles = sum(sample.tiles for sample in samples)
    shape = " × ".join(map(str, samples[0].shape))
    named = ", ".join(f"{count:,} for {split}" for split, count in counts.items())
    return f"{named}; {words.pluralize(tiles, 'tile')} of {shape}"
