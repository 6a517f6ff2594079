"""Read a project's pictures, split them so that nothing leaks, and write them as pieces of one shape."""

import sys
from collections import Counter
from collections.abc import Collection, Sequence

from cae.core import words
from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.core.image_folder import check_name
from cae.datasets import group_splits, masks, prepared
from cae.datasets.prepared import Listed
from cae.datasets.samples import Source
from cae.datasets.sources import open_source
from cae.metrics.thresholds import Threshold
from own import project_folder, settings
from own.unchanged import Unchanged
from stages import PREPARED
from stages.inputs import Inputs

# Pictures of 12 bits that are stored in 16 end at 0.06.
DARK = 0.1
# Of a piece, at most: a batch of the default network has 4, and its widest layer 32 numbers a pixel.
MOST_PIXELS = 2**21


def main() -> None:
    """Read the source of PROJECT/params.yaml twice, write PROJECT/data/prepared."""
    project = project_folder()
    inputs = Inputs.read("prepare", project)
    whole = settings.load(project)
    source = open_source(project / whole.data.source, whole.data.skip_bad)
    preprocessing = whole.data.preprocessing
    unchanged = Unchanged(source.path)

    pictures = prepared.looked_through(source, preprocessing)
    for skipped in source.skipped:
        print(f"skipped: {skipped.reason}", file=sys.stderr)
    pictures = split(pictures, whole.split, normal_class(source, whole.data.normal, pictures))
    print_split(source, pictures, whole.split.seed)
    check_threshold(pictures, whole.anomaly.false_alarms)
    check_measurable(pictures, whole.data)
    masks.check_masks(source.path, pictures)

    def check() -> None:
        unchanged.check()
        inputs.check()

    prepared.write(project / PREPARED, source, preprocessing, pictures, check)
    tell_if_dark(prepared.images(project / PREPARED, "train"), whole.data.window)
    print(f"{source.path}, {source.kind}:", described(pictures))


def normal_class(source: Source, asked: str | None, pictures: Sequence[Listed]) -> str | None:
    """Name the class of normal pictures; None where all are.

    Raises:
        UserError: no picture is of the class that is asked for.
    """
    if asked is None:
        return source.normal
    labels = sorted({picture.label for picture in pictures if picture.label is not None})
    if asked not in labels:
        raise UserError(
            f"data.normal is {asked!r}, but the pictures of {source.path} are of "
            f"{', '.join(map(repr, labels)) or 'no class'}: name one of them, or write null"
        )
    return asked


def split(pictures: Sequence[Listed], chosen: settings.Split, normal: str | None) -> list[Listed]:
    """Give every picture its side: what is not normal is for the test alone.

    Raises:
        UserError: as `group_splits.assign_splits`, or what belongs together is partly normal.
    """
    odd = [normal is not None and picture.label != normal for picture in pictures]
    if all(odd):
        raise UserError(f"no picture is of the class {normal!r}, which is to be learned: add some")
    usual = [picture for picture, is_odd in zip(pictures, odd) if not is_odd]
    drawn = iter(
        group_splits.assign_splits(
            [picture.group for picture in usual],
            [picture.part for picture in usual],
            chosen.shares,
            chosen.seed,
            {"test"} if any(picture.part == "test" for picture in pictures) else (),
        )
    )
    placed = [
        picture._replace(side="test" if is_odd else next(drawn), normal=not is_odd)
        for picture, is_odd in zip(pictures, odd)
    ]
    group_splits.check_groups([picture.group for picture in placed], [picture.side for picture in placed])
    return placed


def print_split(source: Source, pictures: Sequence[Listed], seed: int) -> None:
    """Say where the sides came from, and what cannot be measured on a test without normal pictures."""
    given = {picture.side for picture in pictures if picture.side == picture.part} - {"train"}
    drawn = {picture.side for picture in pictures} - given
    origin = "the source says" if source.kind in ("IDX", "npz") else "your folders say"
    if not given:
        said = f"drawn with split.seed {seed}"
    # What is only left of a folder train is as that says, too.
    elif drawn <= {"train"}:
        said = f"as {origin}"
    else:
        said = f"{join_sides(given)} as {origin}; {join_sides(drawn)} drawn with split.seed {seed}"
    if any(not picture.normal and picture.part not in (None, "test") for picture in pictures):
        said += "; anomalies that lie elsewhere are in the test, too"
    print(f"split: {said}")
    if not any(picture.side == "test" and picture.normal for picture in pictures):
        print(
            "note: no normal picture is in the test, so neither reconstructions of such, nor auroc, nor "
            "false_alarms can be measured; caught can. Put some normal pictures there",
            file=sys.stderr,
        )


def join_sides(chosen: Collection[str]) -> str:
    """Name sides in the order in which they are used."""
    return ", ".join(side for side in prepared.SIDES if side in chosen)


def check_threshold(pictures: Sequence[Listed], false_alarms: float) -> None:
    """Raise UserError, before any training, where pictures are too few for the threshold that is wanted."""
    count, needed = (
        sum(picture.side == "threshold" for picture in pictures),
        Threshold.count_needed(false_alarms),
    )
    if 0 < count < needed:
        own = any(picture.part == picture.side == "threshold" for picture in pictures)
        remedy = (
            "add pictures there, allow more (anomaly.false_alarms in params.yaml), or leave that part out"
            if own
            else "add pictures, raise split.threshold, allow more (anomaly.false_alarms in params.yaml), or "
            "write 0 for split.threshold: then there is none"
        )
        raise UserError(
            f"held out to set the threshold: {words.pluralize(count, 'normal picture')}; for false alarms of "
            f"{false_alarms:g} at least {needed} are needed: {remedy}"
        )


def tell_if_dark(train: Images, window: tuple[float, float] | None) -> None:
    """Say so where pictures use little of the grey values: there is next to nothing to learn."""
    brightest = max(float(piece.max()) for piece in train)
    if brightest < DARK:
        values = "all that they could be" if window is None else f"{window[0]:g} to {window[1]:g}"
        print(
            f"note: no pixel to train on is brighter than {brightest:.3f} of {values}: say by data.window in "
            "params.yaml which values become black and white",
            file=sys.stderr,
        )


def check_measurable(pictures: Sequence[Listed], data: settings.Data) -> None:
    """Raise UserError, before any training, where what comes after it could not measure or write."""
    pieces = pictures[0].shape
    if pieces[0] * pieces[1] > MOST_PIXELS:
        smaller = "cut the pictures (data.tiles), or make them smaller (data.size)"
        raise UserError(
            f"pieces have {pieces[0]} × {pieces[1]} pixels, more than the {MOST_PIXELS:,} that are trained "
            f"on: {'lower data.tiles.size' if data.tiles else smaller}"
        )
    height, width = pictures[0].seen
    if data.tiles is None and min(height, width) < settings.WINDOW:
        raise UserError(
            f"pictures are {height}×{width}, but structural similarity, by which they are measured, looks at "
            f"{settings.WINDOW}×{settings.WINDOW} pixels: ask for a larger size, such as data.size [28, 28]"
        )
    taken: set[str] = set()
    for picture in pictures:
        check_name(picture.name, taken)
        taken.add(picture.name)


def described(pictures: Sequence[Listed]) -> str:
    """Count the pictures of every side in words."""
    counts = Counter(picture.side for picture in pictures)
    pieces = sum(picture.pieces for picture in pictures)
    shape = " × ".join(map(str, pictures[0].shape))
    named = ", ".join(f"{count:,} for {side}" for side, count in counts.items())
    return f"{named}; {words.pluralize(pieces, 'piece')} of {shape}"
