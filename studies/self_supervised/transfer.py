"""Score industrial and medical images by their distance to normal ones, in the codes of each encoder.

No encoder has seen such images: they were trained on Fashion-MNIST.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from cae.core.config import Section
from cae.datasets import prepared
from cae.metrics.detectors import NearestDetector, measure_detection
from cae.networks import self_supervised
from cae.networks.autoencoder import load
from stages.runner.project import Project, Results
from studies.self_supervised import features
from studies.self_supervised.features import Compute

DOMAINS = ("industrial", "medical")


class Settings(Section):
    """What the stage reads of params.yaml."""

    networks: Mapping[str, self_supervised.Settings]
    neighbours: Annotated[int, Field(ge=1, le=100)]


def transfer(project: Project, settings: Settings) -> Results:
    """Return the AUROC of each encoder on both kinds of images."""
    rows = []
    for domain in DOMAINS:
        folder = project.path(f"../{domain}/data/prepared")
        shape = prepared.read_images(folder, "train").shape[1:]
        for name, compute in build_encoders(project, settings, shape).items():
            auroc = measure(folder, compute, settings.neighbours)
            print(f"{domain}, {name}: {auroc:.3f}", flush=True)
            rows.append({"images": domain, "features": name, "auroc": auroc})
    return {"plots/transfer.csv": pd.DataFrame(rows)}


def build_encoders(project: Project, settings: Settings, shape: tuple[int, ...]) -> dict[str, Compute]:
    """Return what computes the rows that distances are measured in, by name."""
    paths = {name: f"models/{name}.keras" for name in settings.networks}
    paths["default"] = "../../models/autoencoder.keras"
    networks = {name: load(project.path(path), shape) for name, path in paths.items()}
    untrained = self_supervised.build(self_supervised.Settings(), shape, features.SEED)
    encoders: dict[str, Compute] = {
        name: network.encode for name, network in {**networks, "untrained": untrained}.items()
    }
    return encoders | {"pixels": lambda images: np.asarray(images).reshape(len(images), -1)}


def measure(folder: Path, compute: Compute, neighbours: int) -> float:
    """Return the AUROC of the mean distance to the nearest normal training images."""
    train, test = prepared.read_images(folder, "train"), prepared.read_split(folder, "test")
    detector = NearestDetector(neighbours).fit(np.concatenate(list(features.iterate(train, compute))))
    scores = detector.score(np.concatenate(list(features.iterate(test.images, compute))))
    anomalous = np.array([not sample.normal for sample in test.samples])
    return measure_detection(scores, anomalous)["auroc"]
