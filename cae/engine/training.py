"""The training loop: Adam with a cosine decay, early stopping, exact resume, the same bits on any cores.

Every random number comes from (seed, epoch): the order of the images and their changes are drawn anew for
each epoch, so a resumed run goes on as the uninterrupted one would have.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from cae.core.arrays import Images
from cae.core.errors import UserError
from cae.datasets.augmentations import Phase
from cae.engine import workers
from cae.engine.checkpoints import Checkpoint, State
from cae.engine.steps import Steps
from cae.networks.settings import Recipe
from cae.networks.tasks import Task

# Images handed to one call of the compiled graph, at most: enough to hide the call, few enough to keep the
# progress bar alive.
IMAGES_A_CALL = 2000
VALIDATION_BATCH = 500
# Numbers in the images of a call, or in one layer of a validation batch, at most: 256 MiB. Large images come
# fewer at a time, so that memory does not grow with how many there are.
NUMBERS = 2**26
# What Keras's EarlyStopping knows between two epochs, apart from the best weights.
STOPPING = ("wait", "best", "best_epoch", "stopped_epoch")
# What a random number is for: the order of the images is drawn from (seed, epoch) alone.
TRAINING, VALIDATION = 1, 2


def fit(
    task: Task,
    train: Images,
    validation: Images,
    recipe: Recipe,
    checkpoint: Checkpoint,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    record: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Train a task's network in place; leave it with the weights of its best epoch.

    Args:
        task: its first loss is trained on, and says which epoch is best. What its network is given is drawn
            anew in every epoch of training, and once for validation. Build the network, and call this, in
            the scope of the `tf.distribute` strategy that trains it.
        train: (N, H, W, 1) float32 in [0, 1]; may be memory-mapped: only what a call needs is read.
        validation: likewise; decides when to stop and which epoch is best.
        recipe: epochs, batch size, learning rate, warm-up, patience, shards and seed.
        checkpoint: keeps the state after each epoch and returns it when an earlier run was killed.
        callbacks: further Keras callbacks; `on_train_batch_end` comes once a call of many steps, with
            `epoch_share`, the part of the epoch that is done.
        record: is given the history so far after every epoch and, when an earlier run was killed, at once.

    Returns:
        One row a finished epoch: epoch (from 1), every loss of the task by its name and, with val_ before
        it, of validation, in means a pixel, and learning_rate (of its first step).

    Raises:
        UserError: the loss is no longer a finite number.
    """
    optimizer = keras.optimizers.Adam(recipe.learning_rate)
    steps = Steps(task, optimizer, recipe.shards)
    stopping = keras.callbacks.EarlyStopping(
        # Keras would guess from the name which direction is better.
        monitor=get_monitor(task.losses),
        mode="min",
        patience=recipe.patience,
        restore_best_weights=True,
    )
    network = task.network
    listeners = keras.callbacks.CallbackList([stopping, *callbacks], model=network)
    listeners.on_train_begin()
    history = restore(load_state(checkpoint), network, optimizer, stopping)
    if history and record:
        record(pd.DataFrame(history))
    network.stop_training = stopping.wait >= recipe.patience
    while len(history) < recipe.epochs and not network.stop_training:
        epoch = len(history)
        listeners.on_epoch_begin(epoch)
        rates = compute_learning_rates(recipe, epoch, -(-len(train) // recipe.batch_size))
        trained = train_epoch(steps, train, recipe, epoch, rates, listeners)
        draws = np.random.default_rng((recipe.seed, 0, VALIDATION))
        validated = compute_mean_losses(steps, validation, draws, Phase(training=False, epoch=epoch))
        check_finite(validated, epoch, recipe)
        logs: dict[str, float] = {}
        for name, of_train, of_validation in reversed([*zip(task.losses, trained, validated, strict=True)]):
            logs |= {name: float(of_train), f"val_{name}": float(of_validation)}
        logs["learning_rate"] = float(rates[0])
        history.append({"epoch": epoch + 1, **logs})
        listeners.on_epoch_end(epoch, logs)
        if workers.is_chief(steps.strategy):
            checkpoint.save(collect_state(network, optimizer, stopping, history))
        if record:
            record(pd.DataFrame(history))
    listeners.on_train_end()
    return pd.DataFrame(history)


def get_monitor(losses: Iterable[str]) -> str:
    """Name the column of a history, of these losses, that says which epoch is best."""
    return f"val_{next(iter(losses))}"


def train_epoch(
    steps: Steps,
    train: Images,
    recipe: Recipe,
    epoch: int,
    rates: npt.NDArray[np.float32],
    listeners: keras.callbacks.CallbackList,
) -> npt.NDArray[np.float64]:
    """Take one step for every batch of the images in a new order; return the mean losses, (losses,)."""
    order = np.random.default_rng((recipe.seed, epoch)).permutation(len(train))
    draws = np.random.default_rng((recipe.seed, epoch, TRAINING))
    phase = Phase(training=True, epoch=epoch)
    total = np.zeros(len(steps.task.losses))
    for done, batches in split_into_calls(train, order, recipe.batch_size):
        first = done // recipe.batch_size
        listeners.on_train_batch_begin(first)
        inputs, targets = steps.task.examples(batches, draws, phase)
        losses = np.asarray(steps.train(inputs, targets, rates[first : first + len(batches)]))
        check_finite(losses, epoch, recipe)
        total += sum_columns(losses) * batches.shape[1]
        share = (done + len(batches) * batches.shape[1]) / len(order)
        listeners.on_train_batch_end(first + len(batches) - 1, {"epoch_share": share})
    return total / len(train)


def compute_learning_rates(recipe: Recipe, epoch: int, steps: int) -> npt.NDArray[np.float32]:
    """Return the learning rate of every step of an epoch: η(t) = η₀·½(1 + cos πt/T), T steps in all epochs.

    Loshchilov, Hutter: SGDR (2017), https://arxiv.org/abs/1608.03983, without restarts. While warming up, it
    rises towards that in a straight line.
    """
    taken = epoch * steps + np.arange(steps)
    # ½(1 + cos πx) = sin²(½π(1 − x))
    rates = recipe.learning_rate * compute_sine(0.5 * np.pi * (1 - taken / (recipe.epochs * steps))) ** 2
    if recipe.warm_up:
        rates *= np.minimum(1, (taken + 1) / (recipe.warm_up * steps))
    return rates.astype(np.float32)


def compute_sine(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return sin x for 0 ≤ x ≤ ½π by its Taylor series, which needs sums and products alone."""
    square, term, total = x * x, x, x
    for n in range(3, 25, 2):
        term = -term * square / ((n - 1) * n)
        total = total + term
    return total


def split_into_calls(
    images: Images, order: npt.NDArray[np.int64], batch_size: int
) -> Iterator[tuple[int, Images]]:
    """Give images in order as (how many came before, (steps, batch, H, W, 1)); a smaller last batch alone."""
    whole = len(order) // batch_size * batch_size
    size = max(1, min(IMAGES_A_CALL, NUMBERS // images[0].size) // batch_size) * batch_size
    for done in range(0, whole, size):
        yield done, images[order[done : min(done + size, whole)].reshape(-1, batch_size)]
    if whole < len(order):
        yield whole, images[order[np.newaxis, whole:]]


def check_finite(losses: npt.ArrayLike, epoch: int, recipe: Recipe) -> None:
    """Raise UserError when training has diverged."""
    if not np.isfinite(losses).all():
        raise UserError(
            f"The loss is no longer a finite number in epoch {epoch + 1}: training diverged at learning_rate "
            f"{recipe.learning_rate:g}. Lower learning_rate and train again."
        )


def compute_mean_losses(
    steps: Steps, images: Images, draws: np.random.Generator, phase: Phase
) -> npt.NDArray[np.float64]:
    """Average the losses of a task over images: (losses,)."""
    total = np.zeros(len(steps.task.losses))
    batch_size = max(1, min(VALIDATION_BATCH, NUMBERS // find_largest_output(steps.task.network)))
    for _, batches in split_into_calls(images, np.arange(len(images)), batch_size):
        of_batches = np.asarray(steps.evaluate(*steps.task.examples(batches, draws, phase)))
        total += sum_columns(of_batches) * batches.shape[1]
    return total / len(images)


def find_largest_output(network: keras.Model) -> int:
    """Return how many numbers the widest layer of a network gives for an image."""
    return max(
        find_largest_output(layer)
        if isinstance(layer, keras.Model)
        else max(math.prod(output.shape[1:]) for output in tf.nest.flatten(layer.output))
        for layer in network.layers
    )


def sum_columns(losses: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Add up each column, rounded once: no order of summands can show."""
    return np.array([math.fsum(column) for column in losses.T])


def compute_mean_image_loss(train: Images, validation: Images) -> float:
    """Return the cross-entropy of answering every validation image with the mean training image.

    It is linear in the image, so the mean validation image has it: −v·ln m − (1 − v)·ln(1 − m), clipped as
    Keras clips. A network that does no better has learned nothing of single images.
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
    """Collect all that the next epoch depends on."""
    return State(
        arrays={
            "weights": network.get_weights(),
            "optimizer": [np.asarray(variable) for variable in optimizer.variables],
            "best_weights": stopping.best_weights,
        },
        values={"history": history, "stopping": {name: getattr(stopping, name) for name in STOPPING}},
    )


def load_state(checkpoint: Checkpoint) -> State | None:
    """Load the chief's saved state on every worker: they may not share a disk."""
    strategy = tf.distribute.get_strategy()
    saved = checkpoint.load() if workers.is_chief(strategy) else None
    content = workers.broadcast_from_chief(strategy, saved.to_bytes() if saved else b"")
    return State.from_bytes(content) if content else None


def restore(
    saved: State | None,
    network: keras.Model,
    optimizer: keras.optimizers.Adam,
    stopping: keras.callbacks.EarlyStopping,
) -> list[dict[str, Any]]:
    """Put everything back to where `state` found it and return the history; without a state, start afresh."""
    if saved is None:
        return []
    network.set_weights(saved.arrays["weights"])
    for variable, value in zip(optimizer.variables, saved.arrays["optimizer"], strict=True):
        variable.assign(value)
    # Keras's EarlyStopping forgets these in on_train_begin, which came before.
    stopping.best_weights = saved.arrays["best_weights"]
    for name, value in saved.values["stopping"].items():
        setattr(stopping, name, value)
    return list(saved.values["history"])
