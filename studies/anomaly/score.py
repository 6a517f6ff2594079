"""Score how anomalous every test image is if one class alone is normal."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from cae.core.arrays import Images, Scores
from cae.core.config import Increasing, Section, Seed
from cae.datasets import prepared
from cae.metrics.detectors import (
    CodeDetector,
    Detector,
    build_baseline_detectors,
    build_isolation_forest,
    check_test_labels,
    flatten,
)
from cae.networks.autoencoder import Autoencoder, load, load_safely
from stages.runner.project import Project, Results
from studies.anomaly import columns, pretext
from studies.anomaly.columns import Column
from studies.anomaly.images import PREPARED, TRANSFORMS, HeldOut, Neighbours, hold_out, read_class
from studies.anomaly.pretext_detector import PretextDetector

REMAKE = "Train it again: cd studies/anomaly && dvc repro -f train_pretext"
Autoencoders = Mapping[tuple[str, int], Autoencoder]
"""By transform and seed."""
PretextNetworks = Mapping[int, Mapping[str, keras.Model]]
"""By seed and pretext task."""


class Detectors(NamedTuple):
    """All detectors, fitted to normal images alone."""

    # Their columns name no method, because each gives several scores.
    by_code: Mapping[Column, CodeDetector]
    by_pretext: Mapping[Column, PretextDetector]
    # They need no held-out images, and are fitted to all.
    baselines: Mapping[Column, Detector]


class Settings(Section):
    """What the stage reads of params.yaml."""

    held_out: HeldOut
    neighbours: Neighbours
    seeds: Increasing[Seed]


def score(project: Project, settings: Settings, label: int) -> Results:
    """Return every score of the test images."""
    folder = project.path(PREPARED)
    test, labels = prepared.read_images(folder, "test"), prepared.read_labels(folder, "test")
    # The only use of the test labels: to refuse a split that cannot be measured.
    check_test_labels(labels, label, prepared.read_class_names(folder)[label])
    models = project.path(f"models/{label}")
    autoencoders = {
        (transform, seed): load(models / f"{transform}-{seed}.keras", test.shape[1:])
        for transform in TRANSFORMS
        for seed in settings.seeds
    }
    pretext_models = project.path(f"models/pretext/{label}")
    pretext_networks = {
        seed: {
            name: load_safely(pretext_models / f"{name}-{seed}.keras", "network", REMAKE)
            for name in pretext.PRETEXTS
        }
        for seed in settings.seeds
    }
    code_size = next(iter(autoencoders.values())).code_size
    # PCA needs an image for every component, nearest neighbours one for every neighbour.
    images = read_class(project, label, settings.held_out + max(code_size, settings.neighbours))
    scores = compute_scores(fit(autoencoders, pretext_networks, images, settings), test)
    return {f"scores/{label}.npy": columns.to_array(scores)}


def fit(
    autoencoders: Autoencoders, pretext_networks: PretextNetworks, images: Images, settings: Settings
) -> Detectors:
    """Fit all detectors to normal images (N, H, W, C) alone."""
    by_code: dict[Column, CodeDetector] = {}
    for (transform, seed), network in autoencoders.items():
        train, held_out = hold_out(TRANSFORMS[transform](images), settings.held_out, seed)
        by_code[Column("", transform, seed)] = CodeDetector(network, settings.neighbours).fit(train, held_out)
    by_pretext: dict[Column, PretextDetector] = {}
    for seed, networks in pretext_networks.items():
        train, held_out = hold_out(TRANSFORMS[pretext.TRANSFORM](images), settings.held_out, seed)
        detector = PretextDetector(networks, settings.neighbours).fit(train, held_out)
        by_pretext[Column("", pretext.TRANSFORM, seed)] = detector
    baselines: dict[Column, Detector] = {}
    code_size = next(iter(autoencoders.values())).code_size
    for transform, apply in TRANSFORMS.items():
        built = build_baseline_detectors(settings.neighbours, code_size)
        fitted = {Column(name, transform): detector for name, detector in built.items()}
        fitted |= {
            Column("isolation_forest", transform, seed): build_isolation_forest(seed)
            for seed in settings.seeds
        }
        rows = flatten(apply(images))
        run_in_threads(delayed(detector.fit)(rows) for detector in fitted.values())
        baselines |= fitted
    return Detectors(by_code, by_pretext, baselines)


def compute_scores(detectors: Detectors, images: Images) -> dict[Column, Scores]:
    """Score images (N, H, W, C) with every fitted detector; each score is (N,).

    `ensemble` is the sum of `self_supervised` over the seeds.
    """
    scores: dict[Column, Scores] = {}
    transformed = {transform: apply(images) for transform, apply in TRANSFORMS.items()}
    of_networks: list[tuple[Column, CodeDetector | PretextDetector]] = [
        *detectors.by_pretext.items(),
        *detectors.by_code.items(),
    ]
    for column, of_network in of_networks:
        by_method = of_network.score(transformed[column.transform])
        scores |= {column._replace(method=method): values for method, values in by_method.items()}
    of_seeds = [scores[column._replace(method="self_supervised")] for column in detectors.by_pretext]
    rows = {transform: flatten(part) for transform, part in transformed.items()}
    of_baselines = run_in_threads(
        delayed(detector.score)(rows[column.transform]) for column, detector in detectors.baselines.items()
    )
    return {
        Column("ensemble", pretext.TRANSFORM): np.sum(of_seeds, axis=0),
        **scores,
        **dict(zip(detectors.baselines, of_baselines, strict=True)),
    }


def run_in_threads(jobs: Iterable[Any]) -> list[Any]:
    """Run jobs on all cores, each in one thread, so that no result depends on the number of cores."""
    return list(Parallel(n_jobs=-1, prefer="threads")(jobs))
