"""Score how anomalous every test image is if one class alone is normal."""

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.utils.parallel import Parallel, delayed

from cae.core.arrays import Images, Scores
from cae.core.config import Increasing, Section, Seed
from cae.datasets import prepared
from cae.metrics import anomaly
from cae.metrics.anomaly import CodeDetector, Detector
from cae.networks.autoencoder import Autoencoder, load
from stages.runner.project import Project, Results
from studies.anomaly import columns
from studies.anomaly.columns import Column
from studies.anomaly.images import PREPARED, VIEWS, HeldOut, Neighbours, hold_out, read_class

Networks = Mapping[tuple[str, int], Autoencoder]
"""By view and seed."""


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
    anomaly.check_test_labels(labels, label, prepared.read_class_names(folder)[label])
    networks = {
        (view, seed): load(project.path(f"models/{label}") / f"{view}-{seed}.keras", test.shape[1:])
        for view in VIEWS
        for seed in settings.seeds
    }
    code_size = next(iter(networks.values())).code_size
    # PCA needs an image for every component, nearest neighbours one for every neighbour.
    images = read_class(folder, label, settings.held_out + max(code_size, settings.neighbours))
    scores = compute_scores(*fit(networks, images, settings), test)
    return {f"scores/{label}.npy": columns.to_array(scores)}


def fit(
    networks: Networks, images: Images, settings: Settings
) -> tuple[dict[Column, CodeDetector], dict[Column, Detector]]:
    """Fit all detectors to normal images alone.

    Returns:
        Detectors by the codes of networks, whose columns name no method because each gives several scores;
        and the baselines, which need no held-out images and are fitted to all.
    """
    by_code: dict[Column, CodeDetector] = {}
    baselines: dict[Column, Detector] = {}
    for (view, seed), network in networks.items():
        train, held_out = hold_out(VIEWS[view](images), settings.held_out, seed)
        by_code[Column("", view, seed)] = CodeDetector(network, settings.neighbours).fit(train, held_out)
    code_size = next(iter(networks.values())).code_size
    for view, transform in VIEWS.items():
        detectors = anomaly.build_baseline_detectors(settings.neighbours, code_size)
        of_view = {Column(name, view): detector for name, detector in detectors.items()}
        of_view |= {
            Column("isolation_forest", view, seed): anomaly.build_isolation_forest(seed)
            for seed in settings.seeds
        }
        rows = anomaly.flatten(transform(images))
        run_in_threads(delayed(detector.fit)(rows) for detector in of_view.values())
        baselines |= of_view
    return by_code, baselines


def compute_scores(
    by_code: Mapping[Column, CodeDetector], baselines: Mapping[Column, Detector], images: Images
) -> dict[Column, Scores]:
    """Score images (N, H, W, C) with every fitted detector; each score is (N,)."""
    scores: dict[Column, Scores] = {}
    views = {view: transform(images) for view, transform in VIEWS.items()}
    for column, detector in by_code.items():
        by_method = detector.score(views[column.view])
        scores |= {column._replace(method=method): values for method, values in by_method.items()}
    rows = {view: anomaly.flatten(images) for view, images in views.items()}
    of_baselines = run_in_threads(
        delayed(detector.score)(rows[column.view]) for column, detector in baselines.items()
    )
    return scores | dict(zip(baselines, of_baselines, strict=True))


def run_in_threads(jobs: Iterable[Any]) -> list[Any]:
    """Run jobs on all cores, each in one thread, so that no result depends on the number of cores."""
    return list(Parallel(n_jobs=-1, prefer="threads")(jobs))
