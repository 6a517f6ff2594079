"""Pictures in, how badly the network reconstructs each out: what it has not learned stands out."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from cae.commands.decision import Threshold
from cae.commands.reconstruct import write_png
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

    The score is the mean squared error over the picture's pixels. With `maps`, a PNG a picture shows the
    absolute error of each pixel, from 0, black, to 1.

    Raises:
        UserError: a picture that does not suit the network, or a file that cannot be written.
    """
    rows = []
    for answer in answers(pictures, trained, seeing):
        rows.append({"name": answer.name, "score": squared(answer.error)})
        if maps is not None:
            write_png(maps / f"{answer.name}.png", coloured(answer.sized(answer.error[..., np.newaxis])))
    table = pd.DataFrame(rows, columns=["name", "score"])
    if threshold is not None:
        table["anomaly"] = (table["score"] > threshold.value).astype(int)
    artifacts.write_csv(out, table)
    return table


def scores(pictures: Iterable[Picture], trained: Trained, seeing: Seeing) -> Scores:
    """Return the scores (N,) of pictures; raises as `score`."""
    return np.array([squared(answer.error) for answer in answers(pictures, trained, seeing)])


def squared(error: Image) -> float:
    """Return the mean of the squares of an error map (H, W)."""
    return float(np.square(error, dtype=np.float64).mean())


def coloured(error: Image) -> Image:
    """Turn an error map (H, W, 1) in [0, 1] into colours (H, W, 3)."""
    return COLOURS(error[..., 0])[..., :3].astype(np.float32)
