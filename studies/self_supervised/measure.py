"""Probe the codes of one network, or features that no gradient learns, for the classes of the images."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from cae.core.arrays import Images, Rows
from cae.core.config import Section
from cae.datasets import prepared
from cae.datasets.splits import Splits
from cae.metrics import probes, quality
from cae.networks import self_supervised
from cae.networks.autoencoder import load, predict
from stages.runner.project import Project, Results
from studies.self_supervised import PREPARED, features

Count = Annotated[int, Field(ge=1, le=60_000)]


class Settings(Section):
    """What the stage reads of params.yaml."""

    components: Count
    fitted_to: Count
    probes: probes.Settings


def measure(project: Project, settings: Settings, name: str) -> Results:
    """Return the accuracy of probes and, of a network, the squared error of its reconstructions."""
    folder = project.path(PREPARED)
    images = prepared.read_all_images(folder)
    labels = Splits(*(prepared.read_labels(folder, split) for split in Splits._fields))
    error: dict[str, float] = {}
    if name in FEATURES:
        rows = FEATURES[name](images, settings)
    elif name == "untrained":
        network = self_supervised.build(self_supervised.Settings(), images.test.shape[1:], features.SEED)
        rows = features.compute_all(images, partial(encode, network.encoder))
    else:
        path = "../../models/autoencoder.keras" if name == "default" else f"models/{name}.keras"
        network = load(project.path(path), images.test.shape[1:])
        rows = features.compute_all(images, partial(encode, network.encoder))
        error = {"mse": float(quality.mse(images.test, predict(network.network, images.test)).mean())}
    outcomes = list(probes.run_probes({name: rows}, labels, settings.probes))
    table = probes.tabulate_accuracies(outcomes, labels.test)
    table.index = pd.Index(table["probe"] + "_" + table["labels_per_class"])
    means, deviations = table["mean"].to_dict(), table["sd"].dropna().to_dict()
    summary = {"numbers": rows.test.shape[1], **error, "mean": means, "sd": deviations}
    print(f"{name}: linear {means['linear_all']:.4f}, with 10 labels per class {means['linear_10']:.4f}")
    return {f"runs/{name}.json": summary}


def encode(encoder: Any, images: Images) -> Rows:
    """Images → codes (N, D)."""
    return np.asarray(predict(encoder, images)).reshape(len(images), -1)


def compute_hog(images: Splits[Images], settings: Settings) -> Splits[Rows]:
    """All numbers of HOG."""
    return features.compute_all(images, features.compute_hog)


def project_hog(images: Splits[Images], settings: Settings) -> Splits[Rows]:
    """Principal components of HOG."""
    return features.project(images, features.compute_hog, settings.components, settings.fitted_to)


def project_words(images: Splits[Images], settings: Settings) -> Splits[Rows]:
    """Principal components of visual words."""
    words = features.build_words(images.train)
    return features.project(images, words, settings.components, settings.fitted_to)


FEATURES: Mapping[str, Callable[[Splits[Images], Settings], Splits[Rows]]] = {
    "hog": compute_hog,
    "hog_pca": project_hog,
    "words_pca": project_words,
}
