"""Our training as a contender: `cae.training` with the recipe of params.yaml at the batch size asked for."""

import os
import tempfile
from pathlib import Path

# Pins the environment, before NumPy and TensorFlow load.
import stages  # noqa: F401

# isort: split
import keras
import numpy as np

from benchmarks import worker
from cae.engine import training
from cae.engine.checkpoints import Checkpoint
from cae.engine.steps import Steps
from cae.ground import params, splits
from cae.ground.arrays import Images
from cae.ground.params import Run
from cae.networks import convolutional


def train_epoch(steps: Steps, images: Images, recipe: Run) -> None:
    """Take the steps of one epoch as `training.fit` takes them."""
    rates = training.cosine_decay(recipe, 0, -(-len(images) // recipe.batch_size))
    order = np.random.default_rng(recipe.seed).permutation(len(images))
    for done, batches in training.in_calls(images, order, recipe.batch_size):
        first = done // recipe.batch_size
        inputs, targets = training.examples(batches, training.CLEAN, np.random.default_rng())
        losses = steps.train(inputs, targets, rates[first : first + len(batches)])
        training.check_finite(np.asarray(losses), 0, recipe)


def main() -> None:
    """Do the job that the command line asks for."""
    asked = worker.arguments()
    if "avx2" in asked.mode:
        # What a processor without AVX-512 would do.
        os.environ["CAE_INSTRUCTIONS"] = "avx2"
    channel = worker.Channel()
    settings = params.load()
    recipe = params.run(settings).model_copy(update={"batch_size": asked.batch})
    train = splits.images(asked.data, "train")[: asked.images]
    network = convolutional.build(settings.model.convolutional.filters, train.shape[1:], recipe.seed).network
    if asked.job == "rounds":
        steps = Steps(network, keras.optimizers.Adam(recipe.learning_rate), recipe.shards)
        # With the odd last batch, whose graph would else be made within the first epoch.
        train_epoch(steps, train[: 8 * recipe.batch_size + len(train) % recipe.batch_size], recipe)
        channel.serve(lambda: train_epoch(steps, train, recipe))
        return
    validation = splits.images(asked.data, "validation")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder), "benchmark")
        report = keras.callbacks.LambdaCallback(on_epoch_end=channel.reporter(network, asked.target))
        training.fit(network, train, validation, recipe, checkpoint, [report])


if __name__ == "__main__":
    main()
