"""One command, from its arguments to what it prints."""

import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from cae.cli import options
from cae.cli.encode import encode
from cae.cli.export import Raw, check_out, check_size, export, fitting, text
from cae.cli.info import info
from cae.cli.outputs import check_apart
from cae.cli.reconstruct import reconstruct
from cae.cli.score import score, scores
from cae.cli.views import Seeing
from cae.core import words
from cae.core.errors import UserError
from cae.core.words import make_printable
from cae.datasets.intensity import check_window
from cae.datasets.samples import Sample, Source
from cae.datasets.sources import open_source
from cae.metrics.error_maps import check_spot
from cae.metrics.thresholds import CONFIDENCE, Threshold
from cae.networks.resizable import ResizableAutoencoder

FALSE_ALARMS = 0.01
EXPONENT = re.compile(r"-\d*\.?\d+[eE][+-]?\d+")


def run(arguments: Sequence[str]) -> None:
    """Carry out one command.

    Raises:
        UserError: what was asked for cannot be done; it says why.
        SystemExit: the arguments are none, or --help was asked for.
    """
    chosen = options.parser().parse_args([plain(argument) for argument in arguments])
    if chosen.command == "info":
        describe(chosen)
    elif chosen.command == "export":
        give(chosen)
    else:
        look(chosen)


def plain(argument: str) -> str:
    """Write out a negative number with an exponent, which argparse takes for an option."""
    return f"{Decimal(argument):f}" if EXPONENT.fullmatch(argument) else argument


def look(chosen: Namespace) -> None:
    """Carry out a command that looks at pictures and writes what it sees; raises as `run`."""
    folders = [chosen.out] if chosen.command == "reconstruct" else []
    files = [] if chosen.command == "reconstruct" else [chosen.out]
    inputs = [chosen.images, chosen.model]
    if chosen.command == "score":
        folders += [chosen.maps] if chosen.maps else []
        inputs += [chosen.normal] if chosen.normal else []
    check_apart(files, folders, inputs)
    if chosen.command == "score":
        check_scoring(chosen)
    source, trained = open_source(chosen.images, chosen.skip_bad), ResizableAutoencoder(chosen.model)
    height, width = trained.image_shape[:2]
    size = (height, width) if chosen.resize else sized(chosen.resize_to)
    seeing = Seeing(chosen.window, chosen.grey, size, chosen.tiles)
    match chosen.command:
        case "encode":
            with counted(source) as pictures:
                number = encode(pictures, trained, seeing, chosen.out)
            print(f"codes of {words.pluralize(number, 'picture')} in {make_printable(str(chosen.out))}")
        case "reconstruct":
            with counted(source) as pictures:
                number = reconstruct(pictures, trained, seeing, chosen.out)
            print(f"{words.pluralize(number, 'picture')} in {make_printable(str(chosen.out))}")
        case "score":
            decide(chosen, source, trained, seeing)


def sized(size: Sequence[int] | None) -> tuple[int, int] | None:
    """Return what --resize-to says; UserError where a side is none."""
    if size is None:
        return None
    height, width = size
    if min(size) < 1:
        raise UserError(f"--resize-to {height} {width}: both sides must be at least 1")
    return height, width


def describe(chosen: Namespace) -> None:
    """Describe the network and, where one is named, the source."""
    trained = ResizableAutoencoder(chosen.model)
    if chosen.images is None:
        info(trained)
        return
    source = open_source(chosen.images, chosen.skip_bad)
    with counted(source) as pictures:
        info(trained, source, pictures)


def give(chosen: Namespace) -> None:
    """Write one model for all between raw pixels and a score or, with normal pictures, a decision."""
    check_out(chosen.out)
    check_apart([chosen.out], [], [path for path in (chosen.model, chosen.normal) if path])
    check_scoring(chosen)
    window, trained = check_window(chosen.window), ResizableAutoencoder(chosen.model)
    raw = Raw(tuple(chosen.size or trained.image_shape[:2]), window, chosen.spot)
    check_size(trained, raw.size)
    threshold = fitted(chosen, trained, Seeing(window), lambda pictures: fitting(pictures, trained, raw.size))
    model = export(trained, raw, threshold and threshold.value, chosen.out)
    taken, given = text(model.input_shape[1:]), ", ".join(model.output)
    print(f"{taken} raw pixels to {given} in {make_printable(str(chosen.out))}")


def check_scoring(chosen: Namespace) -> None:
    """Raise UserError, before anything is read, where a spot or rate is none or lacks normal pictures."""
    if chosen.spot is not None:
        check_spot(chosen.spot)
    if chosen.false_alarms is None:
        return
    Threshold.check_rate(chosen.false_alarms)
    if chosen.normal is None:
        raise UserError("--false-alarms needs --normal: the pictures that set the threshold")


def decide(chosen: Namespace, source: Source, trained: ResizableAutoencoder, seeing: Seeing) -> None:
    """Score pictures and, where there are normal ones, say which are none."""
    threshold = fitted(chosen, trained, seeing)
    with counted(source) as pictures:
        table = score(pictures, trained, seeing, chosen.out, chosen.maps, threshold, chosen.spot)
    print(f"scores of {words.pluralize(len(table), 'picture')} in {make_printable(str(chosen.out))}")
    if threshold is not None:
        print(f"above the threshold: {table['anomaly'].sum()}")


def fitted(
    chosen: Namespace,
    trained: ResizableAutoencoder,
    seeing: Seeing,
    suiting: Callable[[Iterable[Sample]], Iterable[Sample]] = iter,
) -> Threshold | None:
    """Fit a threshold to normal pictures, where there are any, and say what it is worth.

    Args:
        chosen: what the user asked for.
        trained: the network that scores them.
        seeing: how it sees them.
        suiting: passes them on, or raises UserError.
    """
    if chosen.normal is None:
        return None
    rate = FALSE_ALARMS if chosen.false_alarms is None else chosen.false_alarms
    with counted(open_source(chosen.normal, chosen.skip_bad)) as pictures:
        threshold = Threshold.fit(scores(suiting(pictures), trained, seeing, chosen.spot), rate)
    print(
        f"threshold {threshold.value:.6g}, from {words.pluralize(threshold.normals, 'picture')}: false "
        f"alarms expected {threshold.false_alarms:.2%}, with {CONFIDENCE:.0%} confidence "
        f"{threshold.low:.2%} to {threshold.high:.2%}"
    )
    return threshold


@contextmanager
def counted(source: Source) -> Iterator[Iterator[Sample]]:
    """Give the pictures of a source one after another; list the bad files on stderr at the end.

    On a terminal, pictures and time are counted.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.completed:,.0f} pictures"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("", total=None)

            def passing() -> Iterator[Sample]:
                for picture in source:
                    yield picture
                    progress.advance(task)

            yield passing()
    finally:
        for skipped in source.skipped:
            print(f"skipped: {skipped.reason}", file=sys.stderr)
