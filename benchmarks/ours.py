"""Our training as a contender: `cae.engine` with the network's recipe at the batch size asked for."""

import os
import tempfile
from pathlib import Path

# Pins the environment, before NumPy and TensorFlow load.
from benchmarks import pinned  # noqa: F401

# isort: split
import keras

from benchmarks import worker
from cae.core import params
from cae.core.arrays import Images
from cae.datasets import splits
from cae.engine import family, training
from cae.engine.checkpoints import Checkpoint
from cae.engine.steps import Steps


def main() -> None:
    """Do the job that the command line asks for."""
    asked = worker.arguments()
    if "avx2" in asked.mode:
        # What a processor without AVX-512 would do.
        os.environ["CAE_INSTRUCTIONS"] = "avx2"
    channel = worker.Channel()
    settings = params.load()
    # Images as they are: the rivals augment none.
    pace = getattr(settings.model, asked.network).model_copy(update={"augmentations": ()})
    model = settings.model.model_copy(update={"name": asked.network, asked.network: pace})
    recipe = params.run(settings.train, pace).model_copy(update={"batch_size": asked.batch})
    train = splits.images(asked.data, "train")[: asked.images]
    task = family.task(model, family.build(model, train.shape[1:], recipe.seed), recipe.engine)
    if asked.job == "rounds":
        steps = Steps(task, keras.optimizers.Adam(recipe.learning_rate), recipe.shards)
        nobody = keras.callbacks.CallbackList(model=task.network)

        def epoch(images: Images) -> None:
            rates = training.compute_learning_rates(recipe, 0, -(-len(images) // recipe.batch_size))
            training.train_epoch(steps, images, recipe, 0, rates, nobody)

        # With the odd last batch, whose graph would else be made within the first epoch.
        epoch(train[: 8 * recipe.batch_size + len(train) % recipe.batch_size])
        channel.serve(lambda: epoch(train))
        return
    validation = splits.images(asked.data, "validation")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder), "benchmark")
        report = keras.callbacks.LambdaCallback(on_epoch_end=channel.reporter(task.network, asked.target))
        training.fit(task, train, validation, recipe, checkpoint, [report])


if __name__ == "__main__":
    main()
