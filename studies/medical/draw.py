"""Cut tiles from the head CT, and draw lesions into copies of the test tiles."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cae.core.config import Section
from cae.datasets import prepared
from stages.runner.project import Project, Results
from studies.drawing import write_png
from studies.medical.brain import Mask, find_brain
from studies.medical.inv3 import Scan, Volume
from studies.medical.lesions import Lesion, compute_change, draw_lesion
from studies.medical.settings import Drawing, SplitSlabs
from studies.medical.tiles import Tile, list_tiles

FOLDER = "data/images"
# Added to Hounsfield units, whose least is -1024: an image has no values below 0.
OFFSET = 1024


class Settings(Section):
    """What the stage reads of params.yaml."""

    drawing: Drawing


class TileWithLesion(NamedTuple):
    """A copy of a tile with a lesion."""

    tile: Tile
    lesion: Lesion
    values: Volume  # (side, side), HU
    mask: Mask  # (side, side)


def draw(project: Project, settings: Settings) -> Results:
    """Return all images and masks, in folders as of MVTec AD, and a table of the lesions."""
    volume = prepared.map_array(project.path("data/volume.npy"), "dvc repro fetch, in studies/medical")
    spacing = json.loads(project.path("data/spacing.json").read_bytes())
    return draw_images(Scan(volume, tuple(spacing)), settings.drawing)


def draw_images(scan: Scan, drawing: Drawing) -> Results:
    """Cut the tiles of a scan, and draw lesions.

    Raises:
        UserError: a split has no tile, or there is no brain.
    """
    brain = find_brain(scan, drawing.brain)
    images: dict[str, npt.NDArray[Any]] = {
        f"{split}/good/{tile.name}.png": to_stored(tile.cut(scan.volume, drawing.side))
        for split in SplitSlabs.model_fields
        for tile in list_tiles(brain, split, drawing)
    }
    rows = []
    for anomalous in draw_lesions(scan, brain, drawing):
        name = anomalous.tile.name
        images[f"test/lesion/{name}.png"] = to_stored(anomalous.values)
        images[f"ground_truth/lesion/{name}_mask.png"] = anomalous.mask.astype(np.uint8) * 255
        rows.append({"name": name, **anomalous.lesion._asdict(), "pixels": int(anomalous.mask.sum())})
    results: Results = {"data/lesions.csv": pd.DataFrame(rows)}
    return results | {
        f"{FOLDER}/{name}": partial(write_png, pixels=pixels) for name, pixels in images.items()
    }


def draw_lesions(scan: Scan, brain: Mask, drawing: Drawing) -> Iterator[TileWithLesion]:
    """Draw a lesion into a copy of each test tile; each has its own random numbers."""
    for index, tile in enumerate(list_tiles(brain, "test", drawing)):
        inside = tile.cut(brain, drawing.side)
        lesion = draw_lesion(inside, drawing.lesions, np.random.default_rng((drawing.seed, index)))
        change = compute_change(lesion, inside, drawing.lesions.softness, scan.spacing[1:])
        values = tile.cut(scan.volume, drawing.side) + change
        yield TileWithLesion(tile, lesion, values, np.abs(change) > drawing.lesions.visible)


def to_stored(values: Volume) -> npt.NDArray[np.uint16]:
    """Turn Hounsfield units into the values of an image."""
    return (values.astype(np.int32) + OFFSET).clip(0, 65535).astype(np.uint16)
