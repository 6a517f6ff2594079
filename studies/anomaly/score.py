"""Score every test image by how unlike the training images of one class it is: one DVC stage a class."""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from cae.engine import tasks, training
from cae.engine.checkpoints import Checkpoint
from cae.ground import params, splits
from cae.ground.arrays import Images, Scores
from cae.ground.errors import UserError
from cae.measures import anomaly
from cae.measures.anomaly import CodeDetector, Detector
from cae.networks import convolutional
from stages import PREPARED, command
from stages.inputs import Inputs
from studies.anomaly import STUDY, columns, settings
from studies.anomaly.columns import Column
from studies.anomaly.settings import Anomaly

SCORES = STUDY / "scores"
CHECKPOINTS = Path(".checkpoints/anomaly")
# What everything is fitted to: no test image among them.
SOURCES = ("train", "validation")

# How a method sees an image: as it is, or by square roots, which lift the dark parts of a garment.
VIEWS: Mapping[str, Any] = {"pixels": np.asarray, "roots": np.sqrt}

Filters = tuple[int, ...]


def main() -> None:
    """Read data/prepared, write studies/anomaly/scores/LABEL.npy."""
    inputs = Inputs.read("score", STUDY)
    class_names = splits.class_names(PREPARED)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--label", type=int, choices=range(len(class_names)), required=True, help="the normal class"
    )
    label = parser.parse_args().label
    recipe, filters = settings.load().anomaly, params.load().model.convolutional.filters
    normal = normal_images(label, class_names[label], recipe, filters)
    # Labels of the test split are opened to refuse one that cannot be measured, and not used here again.
    anomaly.check_test(splits.labels(PREPARED, "test"), label, class_names[label])

    checkpoint = Checkpoint(CHECKPOINTS / str(label), inputs.fingerprint)
    with checkpoint.locked():
        networks, baselines = fit(normal, recipe, filters, checkpoint)
        scores = score(networks, baselines, splits.images(PREPARED, "test"))
        inputs.check()
        columns.write(SCORES / f"{label}.npy", scores)
        checkpoint.clear()


def normal_images(label: int, class_name: str, recipe: Anomaly, filters: Filters) -> Images:
    """Return the images of one class that are not in the test split.

    Raises:
        UserError: they are too few to fit everything.
    """
    parts = [(splits.images(PREPARED, name), splits.labels(PREPARED, name)) for name in SOURCES]
    normal = anomaly.of_class(parts, label)
    # Every component of PCA needs an image, whatever is held out; so does every neighbour.
    code_size = convolutional.code_size(filters, normal.shape[1:])
    least = recipe.held_out + max(code_size, recipe.neighbours)
    if len(normal) < least:
        raise UserError(
            f"the training and validation splits have {len(normal)} images of {class_name}, but the "
            f"anomaly study needs {least}: raise prepare.train in params.yaml, or lower anomaly.held_out "
            f"in {settings.PATH}"
        )
    return normal


def fit(
    normal: Images, recipe: Anomaly, filters: Filters, checkpoint: Checkpoint
) -> tuple[dict[Column, CodeDetector], dict[Column, Detector]]:
    """Fit all there is to fit, to normal images alone: no other image is in reach.

    Returns the networks, whose columns name no method yet, since each gives several scores, and the
    baselines. Baselines need no held-out images: they are given all.
    """
    networks: dict[Column, CodeDetector] = {}
    baselines: dict[Column, Detector] = {}
    image_shape = normal.shape[1:]
    code_size = convolutional.code_size(filters, image_shape)
    for view, see in VIEWS.items():
        seen = see(normal)
        for seed in recipe.seeds:
            sizes = {"held_out": recipe.held_out, "train": len(normal) - recipe.held_out}
            indices = splits.draw(len(normal), sizes, seed)
            train, held_out = seen[indices["train"]], seen[indices["held_out"]]
            autoencoder = convolutional.build(filters, image_shape, seed)
            own = replace(checkpoint, name=f"{checkpoint.name}-{view}-{seed}")
            task = tasks.reconstruction(autoencoder.network)
            training.fit(task, train, held_out, recipe.of_seed(seed), own)
            detector = CodeDetector(autoencoder, recipe.neighbours).fit(train, held_out)
            networks[Column("", view, seed)] = detector
            print(f"{view}, seed {seed}: network trained", flush=True)
        of_view = {
            Column(name, view): detector
            for name, detector in anomaly.baselines(recipe.neighbours, code_size).items()
        }
        of_view |= {Column("isolation_forest", view, seed): anomaly.forest(seed) for seed in recipe.seeds}
        rows = anomaly.pixels(seen)
        side_by_side(delayed(detector.fit)(rows) for detector in of_view.values())
        baselines |= of_view
    return networks, baselines


def score(
    networks: Mapping[Column, CodeDetector], baselines: Mapping[Column, Detector], images: Images
) -> dict[Column, Scores]:
    """Score images with everything that was fitted, each (N,)."""
    scores: dict[Column, Scores] = {}
    seen = {view: see(images) for view, see in VIEWS.items()}
    for column, network in networks.items():
        by_method = network.scores(seen[column.view])
        scores |= {column._replace(method=method): values for method, values in by_method.items()}
    rows = {view: anomaly.pixels(images) for view, images in seen.items()}
    of_baselines = side_by_side(
        delayed(detector.score)(rows[column.view]) for column, detector in baselines.items()
    )
    return scores | dict(zip(baselines, of_baselines, strict=True))


def side_by_side(jobs: Iterable[Any]) -> list[Any]:
    """Run jobs on all cores, each on one thread, so that no result depends on how many there are."""
    return list(Parallel(n_jobs=-1, prefer="threads")(jobs))


if __name__ == "__main__":
    command.run(main)
