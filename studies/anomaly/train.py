"""Train networks on the images of one class alone: one for each view of the images and each seed."""

from dataclasses import replace
from pathlib import Path

import keras
from stages.inputs import Inputs

from cae.core import files, params
from cae.core.arrays import Images
from cae.datasets import splits
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.networks import convolutional, tasks
from stages import PREPARED
from studies import read_argument
from studies.anomaly import STUDY, normal, settings
from studies.anomaly.settings import Study


def main() -> None:
    """Read data/prepared, without the test split; write models/LABEL/VIEW-SEED.keras."""
    inputs = Inputs.read("train", STUDY)
    label = read_argument("label", int, range(len(splits.class_names(PREPARED))))
    study, filters = settings.load(), params.load().model.convolutional.filters
    # The detectors have a principal component for each number of a code, and one needs an image.
    code_size = convolutional.code_size(filters, splits.images(PREPARED, "train").shape[1:])
    images = normal.load_images(label, study.anomaly.held_out + code_size)
    checkpoint = Checkpoint(Path(f".checkpoints/anomaly/{label}"), inputs.fingerprint)
    with checkpoint.lock():
        networks = train(images, study, filters, checkpoint)
        inputs.check()
        for name, network in networks.items():
            files.write_model(STUDY / f"models/{label}/{name}.keras", network)
        checkpoint.clear()


def train(
    images: Images, study: Study, filters: tuple[int, ...], checkpoint: Checkpoint
) -> dict[str, keras.Model]:
    """Train all networks of a class: VIEW-SEED → network."""
    networks: dict[str, keras.Model] = {}
    for view, see in normal.VIEWS.items():
        for seed in study.anomaly.seeds:
            name = f"{view}-{seed}"
            train, held_out = normal.split(see(images), study.anomaly.held_out, seed)
            network = convolutional.build(
                convolutional.Settings(filters=filters), images.shape[1:], seed
            ).network
            task = tasks.reconstruct(network, choose_engine(study.training.engine), "cross_entropy")
            # Kept until all are trained: killed, the stage goes on after its last finished epoch.
            kept = replace(checkpoint, network=str(name))
            training.fit(task, train, held_out, study.recipe(seed), kept)
            networks[name] = network
            print(f"{view}, seed {seed}: network trained", flush=True)
    return networks
