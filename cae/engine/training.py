"""The training loop: Adam with cosine decay, early stopping, and exact resume after a kill.

Every random number is drawn from (seed, epoch) and what it is for, never from a generator that an earlier
epoch has used. A resumed run therefore draws the same numbers as a run that was never killed.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from cae.core import purposes
from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.datasets.augmentations import Phase
from cae.engine import workers
from cae.engine.checkpoints import Checkpoint, State
from cae.engine.steps import Steps
from cae.networks.autoencoder import find_largest_output
from cae.networks.settings import Recipe
from cae.networks.tasks import Task

# The most images in one call of the compiled graph: the call itself then costs little, and the progress bar
# still moves.
IMAGES_PER_CALL = 2000
VALIDATION_BATCH = 500
# The most values (256 MiB) in the images of a call, or in one layer of a validation batch. Calls with larger
# images have fewer of them, so that memory does not grow.
MOST_VALUES = 2**26
# What Keras's EarlyStopping remembers between epochs, besides the best weights.
EARLY_STOPPING_STATE = ("wait", "best", "best_epoch", "stopped_epoch")


def fit(
    task: Task,
    train: Images,
    validation: Images,
    recipe: Recipe,
    checkpoint: Checkpoint,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    record: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Train a task's network in place; at the end it has the weights of the best epoch.

    Args:
        task: the network and its losses. The first loss is minimised, and its validation value chooses the
            best epoch. Build the network and call this in the scope of the `tf.distribute` strategy to use.
        train: (N, H, W, C) float32 in [0, 1]. May be memory-mapped; each call reads only the images it needs.
        validation: likewise.
        recipe: epochs, patience, batch size, learning rate, warm-up, shards and seed.
        checkpoint: where the state is stored after each epoch; a stored state is resumed from.
        callbacks: further Keras callbacks. `on_train_batch_end` is called once for many steps, with
            `epoch_share`, the finished part of the epoch.
        record: called with the history so far, after every epoch and once before a resumed run goes on.

    Returns:
        One row per epoch: epoch (from 1), each loss of the task as a mean per value, for training and (with
        the prefix val_) for validation, and learning_rate (of the first step).

    Raises:
        UserError: a loss is not a finite number.
    """
    if task.fit_targets is not None:
        task.fit_targets(train, recipe.seed)
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    steps = Steps(task, optimizer, recipe.shards)
    stopping = keras.callbacks.EarlyStopping(
        monitor=f"val_{next(iter(task.losses))}",
        mode="min",  # Keras cannot guess it from the name of a loss
        patience=recipe.patience,
        restore_best_weights=True,
    )
    network = task.network
    listeners = keras.callbacks.CallbackList([stopping, *callbacks], model=network)
    listeners.on_train_begin()
    history = restore_state(load_state(checkpoint), network, optimizer, stopping)
    if history and record:
        record(pd.DataFrame(history))
    network.stop_training = stopping.wait >= recipe.patience
    while len(history) < recipe.epochs and not network.stop_training:
        epoch = len(history)
        listeners.on_epoch_begin(epoch)
        rates = compute_learning_rates(recipe, epoch, math.ceil(len(train) / recipe.batch_size))
        train_losses = train_epoch(steps, train, recipe, epoch, rates, listeners)
        validation_losses = evaluate(steps, validation, recipe, epoch)
        logs: dict[str, float] = {}
        # The cross-entropy, the last loss of every task, comes first.
        for index, name in reversed([*enumerate(task.losses)]):
            logs |= {name: float(train_losses[index]), f"val_{name}": float(validation_losses[index])}
        logs["learning_rate"] = float(rates[0])
        history.append({"epoch": epoch + 1, **logs})
        listeners.on_epoch_end(epoch, logs)
        if workers.is_chief():
            checkpoint.save(collect_state(network, optimizer, stopping, history))
        if record:
            record(pd.DataFrame(history))
    listeners.on_train_end()
    return pd.DataFrame(history)


def compute_learning_rates(recipe: Recipe, epoch: int, steps: int) -> npt.NDArray[np.float32]:
    """Return the learning rate of each step of an epoch: η(t) = η₀·½(1 + cos πt/T), T steps in all epochs.

    Loshchilov, Hutter: SGDR (2017), https://arxiv.org/abs/1608.03983, without restarts. In the warm-up
    epochs η(t) is multiplied by a factor that rises linearly to 1.
    """
    step = epoch * steps + np.arange(steps)
    # ½(1 + cos πx) = sin²(½π(1 − x))
    rates = recipe.learning_rate * compute_sine(0.5 * np.pi * (1 - step / (recipe.epochs * steps))) ** 2
    if recipe.warm_up:
        rates *= np.minimum(1, (step + 1) / (recipe.warm_up * steps))
    return rates.astype(np.float32)


def compute_sine(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return sin x for 0 ≤ x ≤ ½π by its Taylor series: additions and products are the same everywhere."""
    square, term, total = x * x, x, x
    for n in range(3, 25, 2):
        term = -term * square / ((n - 1) * n)
        total = total + term
    return total


def train_epoch(
    steps: Steps,
    train: Images,
    recipe: Recipe,
    epoch: int,
    rates: npt.NDArray[np.float32],
    listeners: keras.callbacks.CallbackList,
) -> npt.NDArray[np.float64]:
    """Shuffle the images and take one step for every batch; return the mean of each loss."""
    order = np.random.default_rng((recipe.seed, epoch)).permutation(len(train))
    draws = np.random.default_rng((recipe.seed, epoch, purposes.TRAINING))
    phase = Phase(training=True, epoch=epoch)
    total = np.zeros(len(steps.task.losses))
    for done, batches in split_into_calls(train, order, recipe.batch_size):
        first = done // recipe.batch_size
        listeners.on_train_batch_begin(first)
        inputs, targets = steps.task.draw_examples(batches, draws, phase)
        losses = np.asarray(steps.train(inputs, targets, rates[first : first + len(batches)]))
        check_finite(losses, epoch, recipe)
        total += sum_columns(losses) * batches.shape[1]
        share = (done + len(batches) * batches.shape[1]) / len(order)
        listeners.on_train_batch_end(first + len(batches) - 1, {"epoch_share": share})
    return total / len(train)


def evaluate(steps: Steps, validation: Images, recipe: Recipe, epoch: int) -> npt.NDArray[np.float64]:
    """Return the mean of each loss over the validation images, whose noise is the same in every epoch."""
    draws = np.random.default_rng((recipe.seed, 0, purposes.VALIDATION))
    phase = Phase(training=False, epoch=epoch)
    total = np.zeros(len(steps.task.losses))
    batch_size = max(1, min(VALIDATION_BATCH, MOST_VALUES // find_largest_output(steps.task.network)))
    for _, batches in split_into_calls(validation, np.arange(len(validation)), batch_size):
        losses = np.asarray(steps.evaluate(*steps.task.draw_examples(batches, draws, phase)))
        total += sum_columns(losses) * batches.shape[1]
    check_finite(total, epoch, recipe)
    return total / len(validation)


def split_into_calls(
    images: Images, order: npt.NDArray[np.int64], batch_size: int
) -> Iterator[tuple[int, Images]]:
    """Yield the images in this order, as batches for one call of the compiled graph at a time.

    Yields:
        How many images came before, and images (steps, batch, H, W, C). A smaller last batch comes alone.
    """
    whole = len(order) // batch_size * batch_size
    size = max(1, min(IMAGES_PER_CALL, MOST_VALUES // images[0].size) // batch_size) * batch_size
    for done in range(0, whole, size):
        yield done, images[order[done : min(done + size, whole)].reshape(-1, batch_size)]
    if whole < len(order):
        yield whole, images[order[np.newaxis, whole:]]


def sum_columns(losses: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Sum each column exactly and round once, so that the order of the rows does not matter."""
    return np.array([math.fsum(column) for column in losses.T])


def check_finite(losses: npt.ArrayLike, epoch: int, recipe: Recipe) -> None:
    """Raise UserError if training has diverged."""
    if not np.isfinite(losses).all():
        raise UserError(
            f"The loss is not a finite number in epoch {epoch + 1}: training diverged at learning_rate "
            f"{recipe.learning_rate:g}. Lower learning_rate and train again."
        )


def compute_mean_image_loss(train: Images, validation: Images) -> float:
    """Return the cross-entropy of predicting the mean training image for every validation image.

    A network that does no better has learned nothing about single images. The loss is linear in the target
    v, so the mean validation image is enough: −v·ln m − (1 − v)·ln(1 − m), m clipped as Keras does.
    """
    m, v = (images.mean(axis=0, dtype=np.float64) for images in (train, validation))
    m = np.clip(m, keras.config.epsilon(), 1 - keras.config.epsilon())
    return float(-(v * np.log(m) + (1 - v) * np.log1p(-m)).mean())


def collect_state(
    network: keras.Model,
    optimizer: keras.optimizers.Adam,
    stopping: keras.callbacks.EarlyStopping,
    history: list[dict[str, Any]],
) -> State:
    """Collect everything that the next epoch depends on."""
    return State(
        arrays={
            "weights": network.get_weights(),
            "optimizer": [np.asarray(variable) for variable in optimizer.variables],
            "best_weights": stopping.best_weights,
        },
        values={
            "history": history,
            "stopping": {name: getattr(stopping, name) for name in EARLY_STOPPING_STATE},
        },
    )


def load_state(checkpoint: Checkpoint) -> State | None:
    """Load the chief's stored state, on every worker: workers may have disks of their own."""
    strategy = tf.distribute.get_strategy()
    stored = checkpoint.load() if workers.is_chief() else None
    content = workers.broadcast_from_chief(strategy, stored.to_bytes() if stored else b"")
    return State.from_bytes(content) if content else None


def restore_state(
    state: State | None,
    network: keras.Model,
    optimizer: keras.optimizers.Adam,
    stopping: keras.callbacks.EarlyStopping,
) -> list[dict[str, Any]]:
    """Set everything that `collect_state` collected and return the history; without a state, an empty one.

    Call it after `on_train_begin`, in which EarlyStopping resets itself.
    """
    if state is None:
        return []
    network.set_weights(state.arrays["weights"])
    for variable, value in zip(optimizer.variables, state.arrays["optimizer"], strict=True):
        variable.assign(value)
    stopping.best_weights = state.arrays["best_weights"]
    for name, value in state.values["stopping"].items():
        setattr(stopping, name, value)
    return list(state.values["history"])
