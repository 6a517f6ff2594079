"""Compute what no network changes: floors, the mean image, PCA, and probes of everything but the code."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from rich.progress import track

from cae.core.arrays import Images, Rows
from cae.core.config import Section, Seed
from cae.datasets import prepared
from cae.datasets.prepared import Classes, PreparedSplit
from cae.datasets.splits import Splits
from cae.metrics import baselines as fitted
from cae.metrics import probes, quality
from cae.metrics.baselines import MeanImage, PrincipalComponents
from cae.metrics.principal_components import (
    MOST_WIDE_ROWS,
    WIDE,
    Components,
    fit_principal_components,
    sample_rows,
)
from cae.networks import convolutional
from stages.measured_images import iterate_channels
from stages.runner.project import BASELINES, PREPARED, Project, Results
from stages.settings import Data


class Baselines(Section):
    """How PCA is fitted, and what probes read classes from."""

    # Training images that PCA is fitted to, at most, drawn by the seed.
    images: Annotated[int, Field(ge=2, le=60_000)] = 10_000
    # Components of PCA, at most: a code is compared with as many as it has numbers.
    components: Annotated[int, Field(ge=1, le=4096)] = 1024
    seed: Seed = 1
    # Besides the code of the trained network.
    features: Annotated[tuple[Literal["PCA", "pixels", "untrained"], ...], Field(strict=False)] = ("PCA",)


class Settings(Section):
    """What the stage reads of params.yaml."""

    baselines: Baselines
    data: Data
    probes: probes.Settings


def baselines(project: Project, settings: Settings) -> Results:
    """Return the fitted baselines, the floor of every split and, where images have classes, accuracies."""
    folder = project.path(PREPARED)
    splits = Splits(*(prepared.read_split(folder, split) for split in Splits._fields))
    images, classes = Splits(*(split.images for split in splits)), prepared.read_classes(folder)
    if classes is not None and classes.learnable:
        probes.check(classes.labels, settings.probes, classes.names)
    floors = compute_floors(splits, settings.data)
    mean_image = MeanImage.fit(images.train)
    components = fit_components(images.train, settings.baselines)
    results: Results = {
        **{f"{BASELINES}/{name}": array for name, array in fitted.to_arrays(mean_image, components).items()},
        f"{BASELINES}/floors.csv": floors,
    }
    if classes is not None and classes.learnable:
        results[f"{BASELINES}/accuracies.csv"] = probe_baselines(images, classes, components, settings)
    return results


def probe_baselines(
    images: Splits[Images], classes: Classes, components: Components, settings: Settings
) -> pd.DataFrame:
    """Probe the features of the baselines for classes; tabulate the accuracies."""
    pca = PrincipalComponents(
        min(compute_default_code_size(images.train), len(components.directions)), components
    )
    features = compute_features(images, pca, settings)
    outcomes = probes.run_probes(features, classes.labels, settings.probes)
    finished = track(outcomes, "probing the baselines", probes.count_runs(len(features), settings.probes))
    return probes.tabulate_accuracies(list(finished), classes.labels.test)


def fit_components(train: Images, settings: Baselines) -> Components:
    """Fit principal components to training images, or to a sample of them."""
    most = settings.images if train[0].size <= WIDE else min(settings.images, MOST_WIDE_ROWS)
    rows = sample_rows(train, settings.seed, most).reshape(-1, train[0].size)
    print(f"fitting PCA to {len(rows):,} images", flush=True)
    return fit_principal_components(rows, min(settings.components, *rows.shape))


def compute_default_code_size(images: Images) -> int:
    """Return how many numbers per image the default network's code has."""
    return convolutional.code_size(convolutional.Settings().filters, images.shape[1:])


def compute_features(
    images: Splits[Images], pca: PrincipalComponents, settings: Settings
) -> Mapping[str, Splits[Rows]]:
    """Compute the features whose probes are baselines, each (N, D) for every split."""
    # The default network, whatever params.yaml chooses: a baseline does not move.
    untrained = convolutional.build(
        convolutional.Settings(), images.train.shape[1:], settings.probes.seeds[0]
    )
    encoders: Mapping[str, Callable[[Images], Images]] = {
        "PCA": pca.encode,
        "pixels": np.asarray,
        "untrained": untrained.encode,
    }
    return {
        name: Splits(*(encoders[name](part).reshape(len(part), -1) for part in images))
        for name in settings.baselines.features
    }


def compute_floors(splits: Splits[PreparedSplit], data: Data) -> pd.DataFrame:
    """Tabulate the least cross-entropy that any reconstruction can have: columns split, images, floor.

    Only normal images count; a split without any has no floor.
    """
    rows = []
    for name, split in splits._asdict().items():
        blocks = [quality.floor(images) for images in iterate_channels(split, data)]
        floor = float(np.concatenate(blocks).mean()) if blocks else None
        rows.append({"split": name, "images": len(split.find_normal()), "floor": floor})
    return pd.DataFrame(rows)
