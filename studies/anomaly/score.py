"""Score every test image by how unlike the training images of one class it is: one DVC stage a class."""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cae.classes import CLASS_NAMES
from sklearn.utils.parallel import Parallel, delayed

from cae.engine import checkpoints, training
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, splits
from cae.ground.arrays import Images, Scores
from cae.ground.errors import UserError
from cae.measures import anomaly
from cae.measures.anomaly import Autoencoder, Detector
from cae.networks import convolutional
from stages import command
from studies import PREPARED
from studies.anomaly import STUDY, settings
from studies.anomaly.settings import Anomaly

SCORES = STUDY / "scores"
CHECKPOINTS = Path(".checkpoints/anomaly")
# What everything is fitted to: no test image among them.
SOURCES = ("train", "validation")

# How a method sees an image: as it is, or by square roots, which lift the dark parts of a garment.
VIEWS: Mapping[str, Any] = {"pixels": np.asarray, "roots": np.sqrt}


def main() -> None:
    """Read data/prepared, write studies/anomaly/scores/LABEL.npy: a column a method, a row a test image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", type=int, choices=range(10), required=True, help="the normal class")
    label = parser.parse_args().label
    chosen = settings.load().anomaly
    normal = normal_images(label, chosen)
    # Labels of the test split are opened to refuse one that cannot be measured, and not used here again.
    anomaly.check_test(splits.labels(PREPARED, "test"), label)

    files = [PREPARED / f"{name}_{kind}.npy" for name in SOURCES for kind in ("images", "labels")]
    code = [*checkpoints.code(), *Path(__file__).parent.glob("*.py")]
    run = checkpoints.fingerprint([*files, *code], chosen.model_dump())
    checkpoint = Checkpoint(CHECKPOINTS / str(label), run)
    with checkpoint.locked():
        networks, baselines = fit(normal, chosen, checkpoint)
        columns = score(networks, baselines, splits.images(PREPARED, "test"))
        artifacts.write_array(
            SCORES / f"{label}.npy", np.asarray(pd.DataFrame(columns).to_records(index=False))
        )
        checkpoint.clear()


def normal_images(label: int, chosen: Anomaly) -> Images:
    """Return the images of one class that are not in the test split.

    Raises:
        UserError: they are too few to fit everything.

    """
    parts = [(splits.images(PREPARED, name), splits.labels(PREPARED, name)) for name in SOURCES]
    normal = anomaly.of_class(parts, label)
    # Every component of PCA needs an image, whatever is held out; so does every neighbour.
    least = chosen.held_out + max(convolutional.CODE_SIZE, chosen.neighbours)
    if len(normal) < least:
        raise UserError(
            f"the training and validation splits have {len(normal)} images of {CLASS_NAMES[label]}, but the "
            f"anomaly study needs {least}: raise prepare.train in params.yaml, or lower anomaly.held_out "
            f"in {settings.PATH}"
        )
    return normal


def fit(
    normal: Images, chosen: Anomaly, checkpoint: Checkpoint
) -> tuple[dict[str, Autoencoder], dict[str, Detector]]:
    """Fit all there is to fit, to normal images alone: no other image is in reach.

    Returns the networks by VIEW/SEED, and the baselines by METHOD/VIEW or, where they need a seed,
    METHOD/VIEW/SEED. Baselines need no held-out images: they are given all.
    """
    networks: dict[str, Autoencoder] = {}
    baselines: dict[str, Detector] = {}
    for view, see in VIEWS.items():
        seen = see(normal)
        for seed in chosen.seeds:
            sizes = {"held_out": chosen.held_out, "train": len(normal) - chosen.held_out}
            indices = splits.draw(len(normal), sizes, seed)
            train, held_out = seen[indices["train"]], seen[indices["held_out"]]
            network = convolutional.autoencoder(seed)
            own = replace(checkpoint, name=f"{checkpoint.name}-{view}-{seed}")
            training.fit(network, train, held_out, chosen.recipe(seed), own)
            networks[f"{view}/{seed}"] = Autoencoder(network, chosen.neighbours).fit(train, held_out)
            print(f"{view}, seed {seed}: network trained", flush=True)
        made = {f"{name}/{view}": one for name, one in anomaly.baselines(chosen.neighbours).items()}
        made |= {f"isolation_forest/{view}/{seed}": anomaly.forest(seed) for seed in chosen.seeds}
        rows = anomaly.pixels(seen)
        side_by_side(delayed(one.fit)(rows) for one in made.values())
        baselines |= made
    return networks, baselines


def score(
    networks: Mapping[str, Autoencoder], baselines: Mapping[str, Detector], images: Images
) -> dict[str, Scores]:
    """Score images with everything that was fitted: columns METHOD/VIEW or METHOD/VIEW/SEED, each (N,)."""
    columns: dict[str, Scores] = {}
    seen = {view: see(images) for view, see in VIEWS.items()}
    for name, network in networks.items():
        scores = network.scores(seen[name.split("/")[0]])
        columns |= {f"{method}/{name}": values for method, values in scores.items()}
    rows = {view: anomaly.pixels(images) for view, images in seen.items()}
    found = side_by_side(delayed(one.score)(rows[name.split("/")[1]]) for name, one in baselines.items())
    return columns | dict(zip(baselines, found, strict=True))


def side_by_side(jobs: Iterable[Any]) -> list[Any]:
    """Run jobs on all cores, each on one thread, so that no result depends on how many there are."""
    return list(Parallel(n_jobs=-1, prefer="threads")(jobs))


if __name__ == "__main__":
    command.run(main)
