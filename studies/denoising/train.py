"""Train one network for all noises at once."""

import argparse
import shutil
from contextlib import closing
from pathlib import Path

import keras

from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.ground import artifacts, params, splits
from cae.ground.params import Noise
from cae.networks.autoencoder import load
from stages import MODELS, PREPARED
from stages import train as train_stage
from stages.inputs import Inputs
from studies import pipeline
from studies.denoising import NETWORKS, STUDY, WITHOUT_BOTTLENECK, residual_cnn, settings
from studies.denoising.settings import ResidualCNN


def main() -> None:
    """Read data/prepared, write studies/denoising/models/NETWORK.keras."""
    inputs = Inputs.read("train", STUDY)
    study = settings.load()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS, required=True)
    name = parser.parse_args().network
    # Kept until the network is trained: killed, it goes on after its last finished epoch.
    folder = Path(f".checkpoints/denoising/{name}")
    if name == WITHOUT_BOTTLENECK:
        checkpoint = Checkpoint(folder, inputs.fingerprint)
        network = without_bottleneck(study.residual_cnn, study.training_noise, checkpoint)
    else:
        network = autoencoder(name, getattr(study.epochs, name), study.training_noise, folder)
    inputs.check()
    artifacts.write_model(STUDY / f"models/{name}.keras", network)
    shutil.rmtree(folder)


def autoencoder(name: str, epochs: int, seen: Noise, folder: Path) -> keras.Model:
    """Train a network of the main pipeline by its own stage, in a folder of its own."""
    changes = {
        "model.name": name,
        "train.epochs": epochs,
        # One bad epoch shall not end a run whose learning rate has still to fall.
        "train.patience": epochs,
        "train.noise.kind": seen.kind,
        "train.noise.strength": seen.strength,
    }
    pipeline.run(folder, pipeline.changed(params.load(), changes), stages=(train_stage,))
    image_shape = splits.images(PREPARED, "train").shape[1:]
    return load(folder / MODELS / "autoencoder.keras", image_shape).network


def without_bottleneck(recipe: ResidualCNN, seen: Noise, checkpoint: Checkpoint) -> keras.Model:
    """Train the residual CNN."""
    train, validation = (splits.images(PREPARED, split) for split in ("train", "validation"))
    network = residual_cnn.build(recipe.width, recipe.depth, train.shape[1:], recipe.seed)
    with checkpoint.locked(), closing(train_stage.Bar(recipe.epochs)) as bar:
        training.fit(residual_cnn.task(network, seen), train, validation, recipe, checkpoint, [bar])
    return network
