"""The training loop: Adam with a cosine decay, early stopping, exact resume, the same bits everywhere.

Every random number comes from (seed, epoch): the order of the images is drawn anew for each epoch, so a
resumed run continues as the uninterrupted one would have.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from cae.checkpoints import Checkpoint, State
from cae.params import Train
from cae.splits import Images
from cae.steps import Stepper

# Steps run in one call of the compiled graph: enough to hide the call, few enough for a lively progress bar.
STEPS_A_CALL = 50
# What Keras's EarlyStopping knows between two epochs.
STOPPING = ("wait", "best", "best_epoch", "stopped_epoch")


def fit(
    network: keras.Sequential,
    train: Images,
    validation: Images,
    recipe: Train,
    checkpoint: Checkpoint,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> pd.DataFrame:
    """Train `network` in place to reproduce its input, and leave it with the weights of its best epoch.

    Args:
        network: ends in a sigmoid; the loss is binary cross-entropy in nats a pixel.
        train: (N, H, W, 1) float32 in [0, 1]; may be memory-mapped, only batches are read.
        validation: likewise; decides when to stop and which epoch is best.
        recipe: epochs, batch size, learning rate, patience, shards and seed.
        checkpoint: where the state is kept after each epoch, and found when the run was killed.
        callbacks: further Keras callbacks; `on_train_batch_end` comes once every few steps.

    Returns:
        One row a finished epoch: epoch (from 1), loss, val_loss, learning_rate (at the epoch's end).
    """
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    optimizer.build(network.trainable_variables)
    stepper = Stepper(network, optimizer, recipe.shards)
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=recipe.patience, restore_best_weights=True
    )
    listeners = keras.callbacks.CallbackList([stopping, *callbacks], model=network)
    network.stop_training = False
    listeners.on_train_begin()
    history = restore(checkpoint, network, optimizer, stopping)
    steps = -(-len(train) // recipe.batch_size)
    while len(history) < recipe.epochs and stopping.wait < recipe.patience:
        epoch = len(history)
        listeners.on_epoch_begin(epoch)
        rates = cosine_decay(recipe.learning_rate, epoch, recipe.epochs, steps)
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(train))
        loss = 0.0
        for call in range(0, steps, STEPS_A_CALL):
            listeners.on_train_batch_begin(call)
            chosen = order[call * recipe.batch_size : (call + STEPS_A_CALL) * recipe.batch_size]
            # Sorted reads are faster from a disk; the batch is put back into its drawn order.
            ...
        val_loss = stepper.loss(validation)
        logs = {"loss": loss / len(train), "val_loss": val_loss, "learning_rate": float(rates[-1])}
        history.append({"epoch": epoch + 1, **logs})
        listeners.on_epoch_end(epoch, logs)
        checkpoint.save(state(network, optimizer, stopping, history))
    listeners.on_train_end()
    return pd.DataFrame(history)
