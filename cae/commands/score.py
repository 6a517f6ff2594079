"""Pictures in, how badly the network reconstructs each out: what it has not learned stands out."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from cae.commands.outputs import Folder, coloured, printable
from cae.commands.trained import Trained
from cae.commands.views import Seeing, answers
from cae.ground import artifacts
from cae.ground.arrays import Scores
from cae.measures import errors
from cae.measures.decision import Threshold
from cae.sources.records import Picture


def score(
    pictures: Iterable[Picture],
    trained: Trained,
    seeing: Seeing,
    out: Path,
    maps: Path | None = None,
    threshold: Threshold | None = None,
    spot: float | None = None,
) -> pd.DataFrame:
    """Write a CSV, a row a picture: name, score, with a threshold also anomaly, 0 or 1; return it.

    The score is that of `errors.score` over the pixels that the network saw: after resizing, of so many. With
    `maps`, a PNG a picture, in its own size, shows the root of the squared error of each pixel, smoothed by
    `spot`, from 0, black, to 1.

    Raises:
        UserError: a picture that does not suit the network, one name twice, or a file that cannot be written.
    """
    folder = None if maps is None else Folder(maps)
    rows = []
    for answer in answers(pictures, trained, seeing):
        squared = answer.squared_error
        rows.append((printable(answer.name), errors.score(squared, spot)))
        if folder is not None:
            absolute = answer.sized(np.sqrt(errors.smoothed(squared, spot))[..., np.newaxis])
            folder.add(answer.name, coloured(absolute[..., 0]))
    table = pd.DataFrame(rows, columns=["name", "score"])
    if threshold is not None:
        table["anomaly"] = (table["score"] > threshold.value).astype(int)
    artifacts.write_csv(out, table)
    return table


def scores(
    pictures: Iterable[Picture], trained: Trained, seeing: Seeing, spot: float | None = None
) -> Scores:
    """Return the scores (N,) of pictures; raises as `score`."""
    made = answers(pictures, trained, seeing)
    return np.array([errors.score(answer.squared_error, spot) for answer in made])
