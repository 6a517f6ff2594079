"""Compute once what no network changes: floors, the mean image, PCA, and probes of all but the code."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from cae.core import files, params
from cae.core.arrays import Images
from cae.datasets import splits
from cae.datasets.splits import Splits
from cae.metrics import baselines, probes, quality
from cae.metrics.baselines import MeanImage, PrincipalComponents, flatten
from cae.metrics.principal_components import fit_principal_components
from cae.networks import convolutional
from cae.networks.autoencoder import predict
from stages import BASELINES, PREPARED
from stages.inputs import Inputs


def main() -> None:
    """Read data/prepared, write data/baselines."""
    inputs = Inputs.read("baselines")
    settings = params.load().probes
    images, labels = splits.all_images(PREPARED), splits.all_labels(PREPARED)
    probes.check(labels, settings, splits.class_names(PREPARED))

    mean_image = MeanImage.fit(images.train)
    # All there are, so that a code of any size can be compared with as many.
    most = min(len(images.train), images.train[0].size)
    components = fit_principal_components(flatten(images.train), most)
    # The default network, whatever params.yaml says: a baseline does not move.
    untrained = convolutional.build(convolutional.FILTERS, images.train.shape[1:], settings.seeds[0])
    encoders: Mapping[str, Callable[[Images], Images]] = {
        "PCA": PrincipalComponents(untrained.code_size, components).encode,
        "pixels": np.asarray,
        "untrained": partial(predict, untrained.encoder),
    }
    features = {
        name: Splits(*(encode(part).reshape(len(part), -1) for part in images))
        for name, encode in encoders.items()
    }
    accuracies = probes.tabulate_accuracies(probes.run_probes(features, labels, settings), labels.test)

    inputs.check()
    baselines.write(BASELINES, mean_image, components)
    files.write_csv(BASELINES / "accuracies.csv", accuracies)
    files.write_csv(BASELINES / "floors.csv", floors(images))


def floors(images: Splits[Images]) -> pd.DataFrame:
    """Tabulate the least cross-entropy that any reconstruction can have: columns split, images, floor."""
    rows = [
        {"split": name, "images": len(part), "floor": float(quality.floor(part).mean())}
        for name, part in images._asdict().items()
    ]
    return pd.DataFrame(rows)
