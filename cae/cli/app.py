"""The command line: `cae COMMAND --help` explains every command.

TensorFlow takes seconds to load: it is imported by a command, and not for --help.
"""

from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from cae.cli import DEFAULT_MODEL
from cae.cli.options import (
    SOURCES,
    FalseAlarms,
    Grey,
    Images,
    InputOptions,
    Model,
    ModelOrDetector,
    Normal,
    Resize,
    ResizeTo,
    Scoring,
    SkipBad,
    Smoothing,
    Tiles,
    Window,
)
from cae.core import environment
from cae.core.errors import UserError


class CommandGroup(typer.core.TyperGroup):
    """Prints a user's mistake as one line, and ends with exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=CommandGroup,
    help="Use a trained autoencoder on your own images.",
    epilog=SOURCES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def import_commands() -> ModuleType:
    """Import what the commands do, and with it TensorFlow."""
    return environment.import_quietly("cae.cli.commands")


@app.command(epilog=f"Example: cae encode photos --out codes.npz. {SOURCES}")
def encode(
    images: Images,
    out: Annotated[Path, typer.Option(metavar="FILE", help="An .npz of names and codes, one row per image.")],
    model: Model = DEFAULT_MODEL,
    window: Window = None,
    grey: Grey = False,
    resize: Resize = False,
    resize_to: ResizeTo = None,
    skip_bad: SkipBad = False,
) -> None:
    """Write the code of each image."""
    import_commands().encode(InputOptions(images, model, skip_bad, window, grey, resize, resize_to), out)


@app.command(epilog=f"Example: cae reconstruct photos --out reconstructions. {SOURCES}")
def reconstruct(
    images: Images,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="A folder: one PNG per image, in its size.")],
    model: Model = DEFAULT_MODEL,
    window: Window = None,
    grey: Grey = False,
    resize: Resize = False,
    resize_to: ResizeTo = None,
    tiles: Tiles = None,
    skip_bad: SkipBad = False,
) -> None:
    """Write the reconstruction of each image."""
    import_commands().reconstruct(
        InputOptions(images, model, skip_bad, window, grey, resize, resize_to, tiles), out
    )


@app.command(
    epilog="Example: cae score photos --out scores.csv --maps maps --normal good --false-alarms 0.01. "
    + SOURCES
)
def score(
    images: Images,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="A CSV: the anomaly score of each image."),
    ],
    maps: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A folder: the error map of each image, as PNG.")
    ] = None,
    model: ModelOrDetector = DEFAULT_MODEL,
    window: Window = None,
    grey: Grey = False,
    resize: Resize = False,
    resize_to: ResizeTo = None,
    tiles: Tiles = None,
    smoothing: Smoothing = None,
    normal: Normal = None,
    false_alarms: FalseAlarms = None,
    skip_bad: SkipBad = False,
) -> None:
    """Score images, by default by how badly they are reconstructed, and decide which are anomalies."""
    source = InputOptions(images, model, skip_bad, window, grey, resize, resize_to, tiles)
    import_commands().score(source, Scoring(smoothing, normal, false_alarms), out, maps)


@app.command(
    epilog="Example: cae export --out model.onnx --smoothing 1.5 --normal good --false-alarms 0.01. "
    + SOURCES
)
def export(
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="A .keras file or, with the extra onnx, an .onnx file.")
    ],
    model: ModelOrDetector = DEFAULT_MODEL,
    window: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help="The pixel values that become black and white.",
            show_default="0 255",
        ),
    ] = None,
    size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="HEIGHT WIDTH",
            help="The size of the images.",
            show_default="the size that the network was trained on",
        ),
    ] = None,
    smoothing: Smoothing = None,
    normal: Normal = None,
    false_alarms: FalseAlarms = None,
    skip_bad: SkipBad = False,
) -> None:
    """Write one model that does everything from raw pixels to the score."""
    scoring = Scoring(smoothing, normal, false_alarms)
    import_commands().export(model, scoring, window, size, skip_bad, out)


@app.command(epilog=f"Example: cae info photos. {SOURCES}")
def info(
    images: Annotated[
        Path | None, typer.Argument(metavar="IMAGES", help="A folder or file of images.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    skip_bad: SkipBad = False,
) -> None:
    """Describe a network, and the images of a folder or file."""
    import_commands().info(model, images, skip_bad)
