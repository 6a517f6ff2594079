"""Pictures in, how badly the network reconstructs each out: what it has not learned stands out."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from cae.measures.decision import Threshold
from cae.commands.outputs import Folder, printable
from cae.commands.trained import Trained
from cae.commands.views import Seeing, answers
from cae.ground import artifacts
from cae.ground.arrays import Scores
from cae.sources.greys import Image
from cae.sources.records import Picture

# Black where the reconstruction is right, the lighter the more it is wrong; as the pipeline's pictures.
COLOURS = matplotlib.colormaps["magma"]


def score(
    pictures: Iterable[Picture],
    trained: Trained,
    seeing: Seeing,
    out: Path,
    maps: Path | None = None,
    threshold: Threshold | None = None,
) -> pd.DataFrame:
    """Write a CSV, a row a picture: name, score, with a threshold also anomaly, 0 or 1; return it.

    The score is the mean squared error over the pixels that the network saw: after resizing, of so many. With
    `maps`, a PNG a picture, in its own size, shows the absolute error of each pixel, from 0, black, to 1.

    Raises:
        UserError: a picture that does not suit the network, one name twice, or a file that cannot be written.
    """
    folder = None if maps is None else Folder(maps)
    rows = []
    for answer in answers(pictures, trained, seeing):
        squared = answer.squared_error
        rows.append((printable(answer.name), mean(squared)))
        if folder is not None:
            absolute = answer.sized(np.sqrt(squared)[..., np.newaxis])
            folder.add(answer.name, COLOURS(absolute[..., 0], bytes=True)[..., :3])
    table = pd.DataFrame(rows, columns=["name", "score"])
    if threshold is not None:
        table["anomaly"] = (table["score"] > threshold.value).astype(int)
    artifacts.write_csv(out, table)
    return table


def scores(pictures: Iterable[Picture], trained: Trained, seeing: Seeing) -> Scores:
    """Return the scores (N,) of pictures; raises as `score`."""
    return np.array([mean(answer.squared_error) for answer in answers(pictures, trained, seeing)])


def mean(squared_error: Image) -> float:
    """Return the mean of an error map (H, W)."""
    return float(squared_error.mean(dtype=np.float64))
