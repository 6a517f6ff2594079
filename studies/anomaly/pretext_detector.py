"""A detector that adds up four scores: two distances to normal images, two losses of pretext networks."""

from collections.abc import Mapping
from typing import Self

import keras
import numpy as np

from cae.core.arrays import Images, Rows, Scores
from cae.metrics import detectors
from cae.metrics.detectors import Detector
from studies.anomaly import pretext
from studies.anomaly.pretext import PRETEXTS

CELL = 4  # pixels a side


class PretextDetector:
    """The anomaly scores by networks that answer pretext questions, and by distances between images, by name.

    `transformations`, `positions`: how improbable the right answers are to a network (`pretext.score`).
    `gradient_nearest`: nearest neighbours by grey values and gradients (`describe_gradients`).
    `self_supervised`: the `ScoreSum` of these three and of `small_nearest`, the nearest neighbours among
    images of half the size. Every summand has the same weight.
    """

    def __init__(self, networks: Mapping[str, keras.Model], neighbours: int) -> None:
        self.networks = networks
        self.small: Detector = detectors.NearestDetector(neighbours)
        self.gradient: Detector = detectors.NearestDetector(neighbours)
        self.sum = detectors.ScoreSum()

    def fit(self, images: Images, held_out: Images) -> Self:
        """Fit the distances to the networks' training images, and the sum to held-out normal images."""
        self.small.fit(detectors.halve(images))
        self.gradient.fit(describe_gradients(images))
        self.sum.fit(self.compute_parts(held_out))
        return self

    def score(self, images: Images) -> dict[str, Scores]:
        """Return every score by its name but `small_nearest`, each (N,) float64."""
        parts = self.compute_parts(images)
        total = self.sum.score(parts)
        del parts["small_nearest"]
        return {**parts, "self_supervised": total}

    def compute_parts(self, images: Images) -> dict[str, Scores]:
        """Compute the scores to add up."""
        return {
            "small_nearest": self.small.score(detectors.halve(images)),
            "gradient_nearest": self.gradient.score(describe_gradients(images)),
            **{
                name: pretext.score(PRETEXTS[name], network, images)
                for name, network in self.networks.items()
            },
        }


def describe_gradients(images: Images) -> Rows:
    """Average grey values and gradients in cells of 4 × 4 pixels: (N, H, W, 1) → (N, 3 · H/4 · W/4).

    A gradient is the absolute difference of neighbours in a column, or in a row; the row holds square roots.
    """
    grey = images[..., 0]
    parts = [
        grey,
        np.abs(np.diff(grey, axis=1, append=np.float32(0))),
        np.abs(np.diff(grey, axis=2, append=np.float32(0))),
    ]
    height, width = grey.shape[1] // CELL, grey.shape[2] // CELL
    cells = [part.reshape(len(part), height, CELL, width, CELL).mean(axis=(2, 4)) for part in parts]
    return np.sqrt(np.stack(cells, axis=1).reshape(len(grey), -1))
