"""Score every test image by how unlike the training images of one class it is: one DVC stage a class."""

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.utils.parallel import Parallel, delayed
from stages.inputs import Inputs

from cae.core.arrays import Images, Scores
from cae.datasets import splits
from cae.metrics import anomaly
from cae.metrics.anomaly import CodeDetector, Detector
from cae.networks.autoencoder import Autoencoder, load
from stages import PREPARED
from studies import read_argument
from studies.anomaly import STUDY, columns, normal, settings
from studies.anomaly.columns import Column
from studies.anomaly.settings import Anomaly

Networks = Mapping[Column, Autoencoder]
"""By their view and seed; they name no method, since each gives several scores."""


def main() -> None:
    """Read models/LABEL and data/prepared; write scores/LABEL.npy."""
    inputs = Inputs.read("score", STUDY)
    class_names = splits.class_names(PREPARED)
    label = read_argument("label", int, range(len(class_names)))
    chosen = settings.load().anomaly
    # Labels of the test split are opened to refuse one that cannot be measured, and not used here again.
    anomaly.check_test_labels(splits.labels(PREPARED, "test"), label, class_names[label])
    test = splits.images(PREPARED, "test")
    networks = {
        Column("", view, seed): load(STUDY / f"models/{label}/{view}-{seed}.keras", test.shape[1:])
        for view in normal.VIEWS
        for seed in chosen.seeds
    }
    code_size = next(iter(networks.values())).code_size
    # Every component of PCA needs an image, whatever is held out; so does every neighbour.
    images = normal.load_images(label, chosen.held_out + max(code_size, chosen.neighbours))
    scores = score(*fit(networks, images, chosen), test)
    inputs.check()
    columns.write(STUDY / f"scores/{label}.npy", scores)


def fit(
    networks: Networks, images: Images, chosen: Anomaly
) -> tuple[dict[Column, CodeDetector], dict[Column, Detector]]:
    """Fit all detectors to normal images alone: no other image is in reach.

    Returns those by the codes of networks, and the baselines. Baselines need no held-out images: they are
    given all.
    """
    by_code: dict[Column, CodeDetector] = {}
    baselines: dict[Column, Detector] = {}
    for column, network in networks.items():
        assert column.seed is not None
        train, held_out = normal.split(normal.VIEWS[column.view](images), chosen.held_out, column.seed)
        by_code[column] = CodeDetector(network, chosen.neighbours).fit(train, held_out)
    code_size = next(iter(networks.values())).code_size
    for view, see in normal.VIEWS.items():
        of_view = {
            Column(name, view): detector
            for name, detector in anomaly.build_baseline_detectors(chosen.neighbours, code_size).items()
        }
        of_view |= {
            Column("isolation_forest", view, seed): anomaly.build_isolation_forest(seed)
            for seed in chosen.seeds
        }
        rows = anomaly.flatten(see(images))
        run_side_by_side(delayed(detector.fit)(rows) for detector in of_view.values())
        baselines |= of_view
    return by_code, baselines


def score(
    by_code: Mapping[Column, CodeDetector], baselines: Mapping[Column, Detector], images: Images
) -> dict[Column, Scores]:
    """Score images with everything that was fitted, each (N,)."""
    scores: dict[Column, Scores] = {}
    seen = {view: see(images) for view, see in normal.VIEWS.items()}
    for column, detector in by_code.items():
        by_method = detector.score(seen[column.view])
        scores |= {column._replace(method=method): values for method, values in by_method.items()}
    rows = {view: anomaly.flatten(images) for view, images in seen.items()}
    of_baselines = run_side_by_side(
        delayed(detector.score)(rows[column.view]) for column, detector in baselines.items()
    )
    return scores | dict(zip(baselines, of_baselines, strict=True))


def run_side_by_side(jobs: Iterable[Any]) -> list[Any]:
    """Run jobs on all cores, each on one thread, so that no result depends on how many there are."""
    return list(Parallel(n_jobs=-1, prefer="threads")(jobs))
