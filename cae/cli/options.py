"""The commands, their options and their help."""

import argparse
from pathlib import Path

from cae.cli import DEFAULT

IMAGES = (
    "IMAGES is a folder of images (PNG, JPEG, TIFF, BMP, PGM, PPM), flat or one folder a class, or as MVTec "
    "AD; a MedMNIST-style .npz; a folder of IDX files; DICOM or NIfTI; or one file of these."
)
DECIDING = "--normal good --false-alarms 0.01"


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = argparse.ArgumentParser(
        prog="cae", description="What a trained autoencoder makes of your own pictures.", epilog=IMAGES
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common, sight = of_every_command(), of_what_is_seen()
    for name, parents, purpose, example, add in (
        ("encode", [common, sight], "write the code of each picture", "photos --out codes.npz", encoding),
        (
            "reconstruct",
            [common, sight],
            "paint each picture again from its code",
            "photos --out again",
            making,
        ),
        (
            "score",
            [common, sight],
            "say how badly each picture is reconstructed",
            f"photos --out scores.csv --maps maps {DECIDING}",
            scoring,
        ),
        (
            "export",
            [common],
            "write one model that does all between raw pixels and a score",
            f"--out whole.onnx --spot 1.5 {DECIDING}",
            exporting,
        ),
        ("info", [common], "describe a network, and what a source holds", "photos", telling),
    ):
        add(
            commands.add_parser(
                name,
                parents=parents,
                help=purpose,
                description=f"{purpose.capitalize()}.",
                epilog=f"Example: cae {name} {example}. {IMAGES}",
            )
        )
    return whole


def of_every_command() -> argparse.ArgumentParser:
    """Return the options that all commands have."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--model", type=Path, default=DEFAULT, help="an autoencoder.keras; without it the committed one"
    )
    common.add_argument("--skip-bad", action="store_true", help="pass over bad files and list them")
    return common


def of_what_is_seen() -> argparse.ArgumentParser:
    """Return the options that say how a picture becomes what a network sees."""
    sight = argparse.ArgumentParser(add_help=False)
    sight.add_argument("images", type=Path, metavar="IMAGES")
    sight.add_argument(
        "--window",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="the grey values that become black and white, needed where 8 or 16 bits do not say them",
    )
    sight.add_argument("--grey", action="store_true", help="make pictures in colour grey")
    return sight


def encoding(own: argparse.ArgumentParser) -> None:
    """Add what codes are written to."""
    sizes(own)
    own.set_defaults(tiles=None)
    own.add_argument("--out", type=Path, required=True, help="an .npz of names and codes, a row a picture")


def making(own: argparse.ArgumentParser) -> None:
    """Add what reconstructions are written to."""
    tiles(sizes(own))
    own.add_argument("--out", type=Path, required=True, help="a folder: a PNG a picture, in its size")


def scoring(own: argparse.ArgumentParser) -> None:
    """Add what scores are written to, and what they are."""
    tiles(sizes(own))
    own.add_argument(
        "--out", type=Path, required=True, help="a CSV: the mean squared error of each picture, or see --spot"
    )
    own.add_argument("--maps", type=Path, help="a folder: a PNG a picture, of the error of each pixel")
    measures(own)


def telling(own: argparse.ArgumentParser) -> None:
    """Add what is described."""
    own.add_argument("images", type=Path, nargs="?", metavar="IMAGES")


def exporting(own: argparse.ArgumentParser) -> None:
    """Add what a model of raw pixels is made of."""
    own.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="a .keras or, with the extra onnx, a .onnx"
    )
    own.add_argument(
        "--window",
        type=float,
        nargs=2,
        default=(0.0, 255.0),
        metavar=("LOW", "HIGH"),
        help="the grey values that become black and white (0 255)",
    )
    own.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="height and width of the pictures; without it those that the network was trained on",
    )
    measures(own)


def measures(own: argparse.ArgumentParser) -> None:
    """Add what a score is and what it is compared with."""
    own.add_argument(
        "--spot",
        type=float,
        metavar="PIXELS",
        help="smooth errors by so many pixels, and score by the greatest, not the mean: for small defects",
    )
    own.add_argument(
        "--normal",
        type=Path,
        metavar="IMAGES",
        help="normal pictures that the network was not trained on: they set a threshold",
    )
    own.add_argument(
        "--false-alarms",
        type=float,
        metavar="SHARE",
        help="of further normal pictures above the threshold, on average (0.01)",
    )


def sizes(own: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """Add stretching; return the group of which a user chooses one."""
    group = own.add_mutually_exclusive_group()
    group.add_argument(
        "--resize", action="store_true", help="stretch pictures to the size that the network was trained on"
    )
    group.add_argument(
        "--resize-to",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="stretch them to this height and width, as data.size in params.yaml does",
    )
    return group


def tiles(group: argparse._MutuallyExclusiveGroup) -> None:
    """Add cutting into tiles."""
    group.add_argument(
        "--tiles",
        type=int,
        metavar="STRIDE",
        help="cut pictures into tiles of the size that the network was trained on, so many pixels apart",
    )
