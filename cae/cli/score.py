"""Pictures in, how badly the network reconstructs each out: what it has not learned stands out."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from cae.cli.views import Seeing, answers
from cae.core import files
from cae.core.arrays import Scores
from cae.core.image_folder import ImageFolder
from cae.core.words import make_printable
from cae.datasets.samples import Sample
from cae.figures.error_maps import colour_error_map
from cae.metrics import error_maps
from cae.metrics.thresholds import Threshold
from cae.networks.resizable import ResizableAutoencoder


def score(
    pictures: Iterable[Sample],
    trained: ResizableAutoencoder,
    seeing: Seeing,
    out: Path,
    maps: Path | None = None,
    threshold: Threshold | None = None,
    spot: float | None = None,
) -> pd.DataFrame:
    """Write a CSV, a row a picture: name, score, with a threshold also anomaly, 0 or 1; return it.

    The score is that of `error_maps.compute_score` over the pixels that the network saw, after resizing.
    With `maps`, a PNG a picture, in its own size, shows the root of the squared error of each pixel, smoothed
    by `spot`, from 0, black, to 1.

    Raises:
        UserError: a picture that does not suit the network, one name twice, or a file that cannot be written.
    """
    folder = None if maps is None else ImageFolder(maps)
    rows = []
    for answer in answers(pictures, trained, seeing):
        squared = answer.squared_error
        rows.append((make_printable(answer.name), error_maps.compute_score(squared, spot)))
        if folder is not None:
            absolute = answer.sized(np.sqrt(error_maps.smooth(squared, spot))[..., np.newaxis])
            folder.write(answer.name, colour_error_map(absolute[..., 0]))
    table = pd.DataFrame(rows, columns=["name", "score"])
    if threshold is not None:
        table["anomaly"] = (table["score"] > threshold.value).astype(int)
    files.write_csv(out, table)
    return table


def scores(
    pictures: Iterable[Sample], trained: ResizableAutoencoder, seeing: Seeing, spot: float | None = None
) -> Scores:
    """Return the scores (N,) of pictures; raises as `score`."""
    made = answers(pictures, trained, seeing)
    return np.array([error_maps.compute_score(answer.squared_error, spot) for answer in made])
