"""One command, from its arguments to what it prints."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from cae.commands import options
from cae.commands.decision import Threshold
from cae.commands.encode import encode
from cae.commands.info import info
from cae.commands.reconstruct import reconstruct
from cae.commands.score import score, scores
from cae.commands.trained import Trained
from cae.commands.views import Seeing
from cae.sources.layouts import opened
from cae.sources.records import Picture, Source


def run(arguments: Sequence[str]) -> None:
    """Carry out one command.

    Raises:
        UserError: what was asked for cannot be done; it says why.
        SystemExit: the arguments are none, or --help was asked for.
    """
    chosen = options.parser().parse_args(arguments)
    trained = Trained(chosen.model)
    if chosen.command == "info":
        source = opened(chosen.images, chosen.skip_bad) if chosen.images else None
        info(trained, source)
        if source:
            tell_skipped(source)
        return
    seeing = Seeing(chosen.window, chosen.grey, chosen.resize, getattr(chosen, "tiles", None))
    source = opened(chosen.images, chosen.skip_bad)
    match chosen.command:
        case "encode":
            with counted(source) as pictures:
                count = encode(pictures, trained, seeing, chosen.out)
            print(f"codes of {pieces(count)} in {chosen.out}")
        case "reconstruct":
            with counted(source) as pictures:
                count = reconstruct(pictures, trained, seeing, chosen.out)
            print(f"{pieces(count)} in {chosen.out}")
        case "score":
            threshold = decided(chosen, trained, seeing)
            with counted(source) as pictures:
                table = score(pictures, trained, seeing, chosen.out, chosen.maps, threshold)
            print(f"scores of {pieces(len(table))} in {chosen.out}")
            if threshold is not None:
                print(f"above the threshold: {table['anomaly'].sum()}")
    tell_skipped(source)


def decided(chosen: Namespace, trained: Trained, seeing: Seeing) -> Threshold | None:
    """Choose a threshold by the normal pictures, if there are any, and say what it is worth."""
    if chosen.normal is None:
        return None
    source = opened(chosen.normal, chosen.skip_bad)
    with counted(source) as pictures:
        threshold = Threshold.fitted(scores(pictures, trained, seeing), chosen.false_alarms)
    tell_skipped(source)
    print(
        f"threshold {threshold.value:.6g}, from {pieces(threshold.normals)}: false alarms expected "
        f"{threshold.false_alarms:.2%}, with 95 % confidence {threshold.low:.2%} to {threshold.high:.2%}"
    )
    return threshold


def pieces(count: int) -> str:
    """Count pictures in words."""
    return f"{count:,} picture{'s' * (count != 1)}"


def tell_skipped(source: Source) -> None:
    """List bad files on stderr."""
    for skipped in source.skipped:
        print(f"skipped: {skipped.reason}", file=sys.stderr)


@contextmanager
def counted(source: Source) -> Iterator[Iterator[Picture]]:
    """Give the pictures of a source one after another; on a terminal, count them and the time."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.completed:,.0f} pictures"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def passing() -> Iterator[Picture]:
            for picture in source:
                yield picture
                progress.advance(task)

        yield passing()
