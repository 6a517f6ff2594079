"""Train the default network for a moment with many seeds at one learning rate."""

from dataclasses import replace
from pathlib import Path

from stages.inputs import Inputs

from cae.core import files, params
from cae.datasets import splits
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.engine import choose_engine
from cae.networks import convolutional, tasks
from stages import PREPARED
from studies import read_argument
from studies.seeds import STUDY, settings


def main() -> None:
    """Read data/prepared; write short/RATE/SEED.keras, a network for each seed."""
    inputs = Inputs.read("train_short", STUDY)
    rate = read_argument("rate", float)
    root, short = params.load(), settings.load().deaths
    train, validation = (splits.images(PREPARED, name) for name in ("train", "validation"))
    checkpoint = Checkpoint(Path(f".checkpoints/seeds/short/{rate}"), inputs.fingerprint)
    networks = {}
    with checkpoint.lock():
        for seed in range(1, short.seeds + 1):
            recipe = params.Run(
                epochs=short.epochs,
                # The learning rate falls to its end in every one.
                patience=short.epochs,
                batch_size=root.model.convolutional.batch_size,
                learning_rate=rate,
                shards=root.train.shards,
                engine=root.train.engine,
                seed=seed,
            )
            network = convolutional.build(
                convolutional.Settings(filters=root.model.convolutional.filters), train.shape[1:], seed
            ).network
            task = tasks.reconstruct(network, choose_engine(recipe.engine), "cross_entropy")
            # Kept until all are trained: killed, the stage goes on after its last finished epoch.
            kept = replace(checkpoint, network=str(seed))
            history = training.fit(task, train, validation, recipe, kept)
            networks[seed] = network
            print(f"rate {rate:g}, seed {seed}: validation {history['val_loss'].min():.5f}", flush=True)
        inputs.check()
        for seed, network in networks.items():
            files.write_model(STUDY / f"short/{rate}/{seed}.keras", network)
        checkpoint.clear()
