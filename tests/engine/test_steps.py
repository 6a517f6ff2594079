"""A step is a step of stock Keras with Adam, and its sums are added in an order that the shards alone fix."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from cae.engine.engine import choose_engine
from cae.engine.steps import Batch, Steps, compute_powers, select_replica_part, sum_over_shards
from cae.networks import tasks
from cae.networks.tasks import Task

# Three batches of two images.
IMAGES, TARGETS = (np.random.default_rng(seed).random((3, 2, 8, 8, 1), np.float32) for seed in (0, 1))
RATES = np.array([1e-2, 5e-3, 1e-3], np.float32)


def build_task(objective: str = "cross_entropy") -> Task:
    keras.utils.set_random_seed(5)
    chain = [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.UpSampling2D(2),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]
    network = keras.Sequential([keras.Input((8, 8, 1)), *chain])
    return tasks.reconstruct(network, choose_engine("fast"), objective)


def assert_same_weights(one: Task, other: Task) -> None:
    for weights, others in zip(one.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, others)


Tree = str | tuple["Tree", "Tree"]
"""The images of a shard, or two branches to be added."""


def add(tree: Tree, values: npt.NDArray[np.float32], place: int) -> np.float32:
    """Add the first (place 0) or last (place -1) value of each shard, in the order of the tree."""
    if isinstance(tree, str):
        return np.float32(values[int(tree[place])])
    return add(tree[0], values, place) + add(tree[1], values, place)


@pytest.mark.parametrize(
    ("count", "shards", "tree"),
    [
        (8, 4, (("01", "23"), ("45", "67"))),
        (8, 1, "01234567"),
        (7, 4, (("0", "12"), ("34", "56"))),
        (3, 4, ("0", ("1", "2"))),
        (1, 4, "0"),
        (6, 3, ("01", ("23", "45"))),
    ],
)
def test_shards_are_cut_and_added_as_a_tree(count: int, shards: int, tree: Tree) -> None:
    values = np.random.default_rng(count).normal(size=count).astype(np.float32)
    first, last = sum_over_shards(
        lambda shard: [shard[0][0], shard[0][-1]], (tf.constant(values),) * 2, shards
    )
    assert first.numpy() == add(tree, values, 0)
    assert last.numpy() == add(tree, values, -1)


@given(count=st.integers(1, 9), shards=st.sampled_from([2, 4, 8]))
def test_the_sums_of_two_replicas_add_up_to_that_of_one(count: int, shards: int) -> None:
    values = np.random.default_rng(count).normal(size=2 * count).astype(np.float32)
    batch = (values, values)

    def compute_sums(shard: Batch) -> list[tf.Tensor]:
        return [tf.reduce_sum(shard[0] * shard[1])]

    (whole,) = sum_over_shards(compute_sums, batch, shards)
    parts = [select_replica_part(batch, shards, replica, 2) for replica in (0, 1)]
    (first,), (second,) = (sum_over_shards(compute_sums, *part) for part in parts)
    assert whole.numpy() == (first + second).numpy()


@pytest.mark.parametrize("shards", [1, 3, 4, 8])
def test_training_takes_the_steps_of_stock_keras(shards: int) -> None:
    task, stock = build_task(), build_task().network
    optimizer, stock_optimizer = keras.optimizers.Adam(), keras.optimizers.Adam()
    losses = Steps(task, optimizer, shards).train(IMAGES, TARGETS, RATES)
    for images, targets, rate, (loss,) in zip(IMAGES, TARGETS, RATES, losses, strict=True):
        with tf.GradientTape() as tape:
            expected = tf.reduce_mean(keras.losses.binary_crossentropy(targets, stock(images)))
        gradients = tape.gradient(expected, [variable.value for variable in stock.trainable_variables])
        stock_optimizer.learning_rate = rate
        stock_optimizer.apply(gradients, stock.trainable_variables)
        assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    ours = [*task.network.variables, *optimizer.variables]
    for one, other in zip(ours, [*stock.variables, *stock_optimizer.variables], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_one_call_with_many_steps_equals_a_call_per_step() -> None:
    together, apart = build_task(), build_task()
    Steps(together, keras.optimizers.Adam(), 2).train(IMAGES, IMAGES, RATES)
    steps = Steps(apart, keras.optimizers.Adam(), 2)
    for step in (slice(0, 1), slice(1, 2), slice(2, 3)):
        steps.train(IMAGES[step], IMAGES[step], RATES[step])
    assert_same_weights(together, apart)


def test_evaluation_returns_the_loss_and_trains_nothing() -> None:
    task = build_task()
    images, targets = (array.reshape(1, 6, 8, 8, 1) for array in (IMAGES, TARGETS))
    losses = Steps(task, keras.optimizers.Adam(), 4).evaluate(images, targets)
    expected = np.mean(keras.losses.binary_crossentropy(targets[0], task.network(images[0])))
    assert losses.numpy() == pytest.approx(np.array([[expected]]), rel=1e-5)
    assert_same_weights(task, build_task())


def test_every_loss_is_returned_and_only_the_first_is_minimised() -> None:
    both, one = build_task("squared_error"), build_task("squared_error")
    one = one._replace(losses={"objective": one.losses["objective"]})
    losses, objectives = (
        Steps(task, keras.optimizers.Adam(), 2).train(IMAGES, IMAGES, RATES) for task in (both, one)
    )
    assert losses.shape == (3, 2)
    np.testing.assert_array_equal(losses[:, :1], objectives)
    assert_same_weights(both, one)


@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.SGD(), keras.optimizers.Adam(clipnorm=1.0), keras.optimizers.Adam(amsgrad=True)],
    ids=["SGD", "clipnorm", "amsgrad"],
)
def test_an_optimizer_other_than_plain_adam_is_refused(optimizer: Any) -> None:
    with pytest.raises(ValueError, match="Adam"):
        Steps(build_task(), optimizer, 4)


@pytest.mark.parametrize("base", [0.9, 0.999])
def test_powers_equal_those_of_the_standard_library(base: float) -> None:
    exponents = np.array([0, 1, 2, 3, 1000, 156_250])
    np.testing.assert_allclose(compute_powers(base, exponents), base**exponents, rtol=1e-11)
