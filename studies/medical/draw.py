"""Cut pictures out of the head CT, and put lesions into copies of those to test on."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from stages.inputs import Inputs

from cae.core import files
from cae.core.errors import UserError
from cae.datasets import splits
from studies.medical import DATA, SPACING, STUDY, VOLUME, brain, lesions, pieces, settings
from studies.medical.brain import Mask
from studies.medical.inv3 import Scan
from studies.medical.lesions import Lesion
from studies.medical.pieces import Piece
from studies.medical.settings import Drawing, Parts

PICTURES = DATA / "pictures"
TABLE = DATA / "lesions.csv"
# What is added to Hounsfield units, of which the least is -1024: a picture has none below 0.
OFFSET = 1024


class Ill(NamedTuple):
    """A copy of a piece with a lesion: HU int16, mask bool, both (side, side)."""

    piece: Piece
    lesion: Lesion
    values: npt.NDArray[np.int16]
    mask: Mask


def main() -> None:
    """Read data/volume.npy and data/spacing.json; write data/pictures and data/lesions.csv."""
    inputs = Inputs.read("draw", STUDY)
    drawing = settings.load().drawing
    scan = read()
    try:
        with tempfile.TemporaryDirectory(dir=DATA, prefix=".drawing-", suffix=".part") as scratch:
            folder = Path(scratch) / "pictures"
            table = write(folder, scan, drawing)
            inputs.check()
            if PICTURES.exists():
                shutil.rmtree(PICTURES)
            folder.replace(PICTURES)
    except OSError as error:
        raise UserError(
            f"{PICTURES} cannot be written: {error.strerror or error}. Free some space or make it writable."
        ) from error
    files.write_csv(TABLE, table)


def read() -> Scan:
    """Map the volume that `fetch` wrote; UserError where it is not whole."""
    remake = "dvc repro fetch, in studies/medical"
    try:
        slices, rows, columns = json.loads(SPACING.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{SPACING} cannot be read ({error}). Make it again: {remake}") from error
    return Scan(splits.mapped(VOLUME, remake), (slices, rows, columns))


def write(folder: Path, scan: Scan, drawing: Drawing) -> pd.DataFrame:
    """Write all pictures into a new folder, laid out as MVTec AD, and tabulate the lesions.

    Raises:
        UserError: a part has no picture, or there is no brain.
        OSError: the folder cannot be written.
    """
    inside = brain.region(scan, drawing.brain)
    for part in Parts.model_fields:
        for piece in pieces.of_part(inside, part, drawing):
            save(folder / part / "good" / f"{piece.name}.png", stored(piece.cut(scan.volume, drawing.side)))
    rows = []
    for ill in with_lesions(scan, inside, drawing):
        name = ill.piece.name
        save(folder / "test/lesion" / f"{name}.png", stored(ill.values))
        save(folder / "ground_truth/lesion" / f"{name}_mask.png", ill.mask.astype(np.uint8) * 255)
        rows.append({"name": name, **ill.lesion._asdict(), "pixels": int(ill.mask.sum())})
    return pd.DataFrame(rows)


def with_lesions(scan: Scan, inside: Mask, drawing: Drawing) -> Iterator[Ill]:
    """Put a lesion into a copy of each piece to test on; each has a generator of its own."""
    for index, piece in enumerate(pieces.of_part(inside, "test", drawing)):
        own = piece.cut(inside, drawing.side)
        lesion = lesions.drawn(own, drawing.lesions, np.random.default_rng((drawing.seed, index)))
        change = lesions.change(lesion, own, drawing.lesions.softness, scan.spacing[1:])
        values = piece.cut(scan.volume, drawing.side) + change
        yield Ill(piece, lesion, values, np.abs(change) > drawing.lesions.visible)


def stored(values: npt.NDArray[np.int16]) -> npt.NDArray[np.uint16]:
    """Turn Hounsfield units into those of a picture."""
    return (values.astype(np.int32) + OFFSET).clip(0, 65535).astype(np.uint16)


def save(path: Path, pixels: npt.NDArray[Any]) -> None:
    """Write a grey PNG, uncompressed: its bytes then depend on no compressor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG", compress_level=0)
