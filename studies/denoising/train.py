"""Train one network for all noises at once."""

from contextlib import closing
from pathlib import Path
from typing import Any

from cae.MISSING import Params
from stages.inputs import Inputs

from cae.core import files, params
from cae.datasets import splits
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from stages import PREPARED
from stages.train import Bar
from studies import pipeline, read_argument
from studies.denoising import NETWORKS, STUDY, WITHOUT_BOTTLENECK, residual_cnn, settings
from studies.denoising.settings import Study


def main() -> None:
    """Read data/prepared; write models/NETWORK.keras and histories/NETWORK.csv."""
    inputs = Inputs.read("train", STUDY)
    name = read_argument("network", str, NETWORKS)
    study = settings.load()
    if name == WITHOUT_BOTTLENECK:
        train_without_bottleneck(study, inputs)
    else:
        root = params.load()
        pipeline.train(STUDY, name, pipeline.changed(root, changes(root, study, name)), inputs)


def changes(root: Params, study: Study, name: str) -> dict[str, Any]:
    """Return what differs from the root's params.yaml for one of its networks."""
    epochs = getattr(study.epochs, name)
    augmentations = (*getattr(root.model, name).augmentations, study.training_noise)
    return {
        "model.name": name,
        f"model.{name}.augmentations": [augmentation.model_dump() for augmentation in augmentations],
        "train.epochs": epochs,
        # One bad epoch shall not end a run whose learning rate has still to fall.
        "train.patience": epochs,
    }


def train_without_bottleneck(study: Study, inputs: Inputs) -> None:
    """Train the residual CNN."""
    recipe = study.residual_cnn
    # Kept until the network is trained: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/denoising/{WITHOUT_BOTTLENECK}")
    checkpoint = Checkpoint(folder, inputs.fingerprint)
    train, validation = (splits.images(PREPARED, split) for split in ("train", "validation"))
    network = residual_cnn.build(recipe.width, recipe.depth, train.shape[1:], recipe.seed)
    task = residual_cnn.task(network, (*recipe.augmentations, study.training_noise), recipe.engine)
    with checkpoint.lock(), closing(Bar(recipe.epochs)) as bar:
        history = training.fit(task, train, validation, recipe, checkpoint, [bar])
        inputs.check()
        files.write_model(STUDY / f"models/{WITHOUT_BOTTLENECK}.keras", network)
        files.write_csv(STUDY / f"histories/{WITHOUT_BOTTLENECK}.csv", history)
        checkpoint.clear()
