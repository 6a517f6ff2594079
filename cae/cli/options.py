"""The options that several commands have."""

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

SOURCES = (
    "IMAGES is a folder of images (PNG, JPEG, TIFF, BMP, PGM, PPM), flat or one folder per class, or as "
    "MVTec AD; a MedMNIST-style .npz; a folder of IDX files; DICOM or NIfTI; or one file of these."
)

Images = Annotated[Path, typer.Argument(metavar="IMAGES", help="A folder or file of images.")]
Model = Annotated[
    Path,
    typer.Option(
        "--model", metavar="FILE", help="An autoencoder.keras.", show_default="the committed network"
    ),
]
ModelOrDetector = Annotated[
    Path,
    typer.Option(
        "--model",
        metavar="FILE",
        help="An autoencoder.keras or a detector.keras of the pipeline. A detector knows its score, its "
        "threshold, and how images are preprocessed and smoothed.",
        show_default="the committed network",
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Skip files that cannot be read, and list them.")]
Window = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="LOW HIGH",
        help="The pixel values that become black and white; needed unless 8 or 16 bits imply them.",
    ),
]
Grey = Annotated[bool, typer.Option("--grey", help="Convert colour images to grey.")]
Resize = Annotated[
    bool, typer.Option("--resize", help="Resize images to the size that the network was trained on.")
]
ResizeTo = Annotated[
    tuple[int, int] | None,
    typer.Option(
        metavar="HEIGHT WIDTH", help="Resize images to this size, as data.size in params.yaml does."
    ),
]
Tiles = Annotated[
    int | None,
    typer.Option(
        metavar="STRIDE",
        help="Cut images into tiles of the size that the network was trained on, STRIDE pixels apart.",
    ),
]
Smoothing = Annotated[
    float | None,
    typer.Option(
        metavar="PIXELS",
        help="Smooth error maps with a Gaussian of PIXELS, and score by their maximum instead of their mean: "
        "for small defects.",
    ),
]
Normal = Annotated[
    Path | None,
    typer.Option(
        metavar="IMAGES", help="Normal images that the network was not trained on; they set a threshold."
    ),
]
FalseAlarms = Annotated[
    float | None,
    typer.Option(
        metavar="RATE",
        help="The expected share of further normal images above the threshold.",
        show_default="0.01",
    ),
]


class InputOptions(NamedTuple):
    """What a command reads, and how images are preprocessed."""

    images: Path
    model: Path
    skip_bad: bool
    window: tuple[float, float] | None
    grey: bool
    resize: bool
    resize_to: tuple[int, int] | None
    tiles: int | None = None


class Scoring(NamedTuple):
    """How images are scored, and what sets the threshold."""

    smoothing: float | None
    normal: Path | None
    false_alarms: float | None
