"""A step is one Adam step of stock Keras, and its bits depend on the shards alone."""

import os
import subprocess
import sys

from cae.engine.engine import choose_engine
from cae.engine.steps import Steps, in_shards, power  # isort: split

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from cae.networks import tasks

IMAGES = np.random.default_rng(0).random((6, 8, 8, 1), dtype="float32")
TARGETS = np.random.default_rng(1).random((6, 8, 8, 1), dtype="float32")


def small_model() -> keras.Sequential:
    keras.utils.set_random_seed(5)
    chain = [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.UpSampling2D(2),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]
    return keras.Sequential([keras.Input((8, 8, 1)), *chain])


Tree = str | tuple["Tree", "Tree"]
"""The images of a shard, or the two branches that are added."""


def added(tree: Tree, batch: npt.NDArray[np.float32], place: int) -> np.float32:
    """Add the first (place 0) or last (place -1) image of each shard, in the order of the tree."""
    if isinstance(tree, str):
        return np.float32(batch[int(tree[place])])
    return added(tree[0], batch, place) + added(tree[1], batch, place)


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
def test_a_batch_is_cut_and_added_as_a_tree(count: int, shards: int, tree: Tree) -> None:
    batch = np.random.default_rng(count).normal(size=count).astype("float32")
    first, last = in_shards(lambda images, _: [images[0], images[-1]], tf.constant(batch), batch, shards)
    assert first.numpy() == added(tree, batch, 0)
    assert last.numpy() == added(tree, batch, -1)


@given(count=st.integers(1, 9), shards=st.sampled_from([2, 4, 8]))
def test_half_of_a_batch_in_half_of_the_shards_is_one_summand(count: int, shards: int) -> None:
    batch = np.random.default_rng(count).normal(size=2 * count).astype("float32")

    def sums(images: tf.Tensor, targets: tf.Tensor) -> list[tf.Tensor]:
        return [tf.reduce_sum(images * targets)]

    (whole,) = in_shards(sums, batch, batch, shards)
    halves = [in_shards(sums, half, half, shards // 2)[0] for half in (batch[:count], batch[count:])]
    assert whole.numpy() == (halves[0] + halves[1]).numpy()


@pytest.mark.parametrize("shards", [1, 3, 4, 8])
def test_training_takes_the_steps_of_stock_keras(shards: int) -> None:
    rates = np.array([1e-2, 5e-3, 1e-3], dtype="float32")
    batches, targets = IMAGES.reshape(3, 2, 8, 8, 1), TARGETS.reshape(3, 2, 8, 8, 1)
    model, stock = small_model(), small_model()
    optimizer, stock_optimizer = keras.optimizers.Adam(), keras.optimizers.Adam()
    losses = Steps(tasks.reconstruct(model, choose_engine("fast"), "cross_entropy"), optimizer, shards).train(
        batches, targets, rates
    )
    for batch, target, rate, (loss,) in zip(batches, targets, rates, losses, strict=True):
        with tf.GradientTape() as tape:
            expected = tf.reduce_mean(keras.losses.binary_crossentropy(target, stock(batch)))
        gradients = tape.gradient(expected, [variable.value for variable in stock.trainable_variables])
        stock_optimizer.learning_rate = rate
        stock_optimizer.apply(gradients, stock.trainable_variables)
        assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    for ours, theirs in zip(
        [*model.variables, *optimizer.variables], [*stock.variables, *stock_optimizer.variables], strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_call_of_many_steps_is_as_many_calls_of_one() -> None:
    batches, rates = IMAGES.reshape(3, 2, 8, 8, 1), np.full(3, 1e-2, dtype="float32")
    together, apart = small_model(), small_model()
    Steps(
        tasks.reconstruct(together, choose_engine("fast"), "cross_entropy"), keras.optimizers.Adam(), 2
    ).train(batches, batches, rates)
    steps = Steps(
        tasks.reconstruct(apart, choose_engine("fast"), "cross_entropy"), keras.optimizers.Adam(), 2
    )
    for step in range(3):
        steps.train(batches[step : step + 1], batches[step : step + 1], rates[:1])
    for one, other in zip(together.get_weights(), apart.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_evaluating_gives_the_loss_and_trains_nothing() -> None:
    model = small_model()
    before = model.get_weights()
    steps = Steps(
        tasks.reconstruct(model, choose_engine("fast"), "cross_entropy"), keras.optimizers.Adam(), 4
    )
    losses = steps.evaluate(IMAGES[np.newaxis], TARGETS[np.newaxis])
    expected = np.mean(keras.losses.binary_crossentropy(TARGETS, model(IMAGES)))
    assert losses.numpy() == pytest.approx(np.array([[expected]]), rel=1e-5)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_every_loss_is_told_and_only_the_first_is_trained_on() -> None:
    rates = np.full(3, 1e-2, dtype="float32")
    batches = IMAGES.reshape(3, 2, 8, 8, 1)
    alone, both = small_model(), small_model()
    task = tasks.reconstruct(alone, choose_engine("fast"), "squared_error")
    one_loss = task._replace(losses={"objective": task.losses["objective"]})
    losses = Steps(one_loss, keras.optimizers.Adam(), 2).train(batches, batches, rates)
    both_losses = tasks.reconstruct(both, choose_engine("fast"), "squared_error")
    told = Steps(both_losses, keras.optimizers.Adam(), 2).train(batches, batches, rates)
    assert told.shape == (3, 2)
    np.testing.assert_array_equal(told[:, :1], losses)
    for one, other in zip(alone.get_weights(), both.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.SGD(), keras.optimizers.Adam(clipnorm=1.0), keras.optimizers.Adam(amsgrad=True)],
    ids=["another", "clipped", "amsgrad"],
)
def test_an_optimizer_that_is_not_plain_adam_is_refused(optimizer: keras.optimizers.Optimizer) -> None:
    with pytest.raises(ValueError, match="Adam"):
        Steps(tasks.reconstruct(small_model(), choose_engine("fast"), "cross_entropy"), optimizer, 4)


@pytest.mark.parametrize("base", [0.9, 0.999])
def test_a_power_is_that_of_the_standard_library(base: float) -> None:
    exponents = np.array([0, 1, 2, 3, 1000, 156_250])
    np.testing.assert_allclose(power(base, exponents), base**exponents, rtol=1e-11)


TRAIN_AND_HASH = """
import hashlib, os, sys
threads, core = int(sys.argv[1]), sys.argv[2]
if core:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import stages
from tests import default
from cae.engine import operations
from cae.engine.steps import Steps
import keras, numpy as np, tensorflow as tf
tf.config.threading.set_inter_op_parallelism_threads(threads)
images = np.random.default_rng(0).random((12, 22, 28, 28, 1), dtype="float32")
model, rates = default.autoencoder(seed=1).network, np.full(12, 2e-3, dtype="float32")
steps = Steps(tasks.reconstruct(model, choose_engine("fast"), "cross_entropy"), keras.optimizers.Adam(), 4)
losses = [*steps.train(images, images, rates), *steps.evaluate(images, images)]
state = b"".join(np.asarray(value).tobytes() for value in [*model.get_weights(), *losses])
print(hashlib.sha256(state).hexdigest(), operations.get_instruction_set())
"""


def trained(threads: str, core: str, instructions: str | None = None) -> list[str]:
    """Return the digest of a training and the instruction set that it ran with."""
    environment = {name: value for name, value in os.environ.items() if name != "CAE_INSTRUCTIONS"}
    if instructions:
        environment["CAE_INSTRUCTIONS"] = instructions
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_AND_HASH, threads, core],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.slow
def test_the_bits_depend_neither_on_threads_nor_on_cores() -> None:
    ways = [("1", ""), ("2", ""), ("8", ""), ("2", "pinned")]
    assert len({trained(*way)[0] for way in ways}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["avx2", "portable"])
def test_the_bits_do_not_depend_on_the_processors_instructions(instructions: str) -> None:
    digest, widest = trained("2", "")
    narrow, used = trained("2", "", instructions)
    if used != instructions or used == widest:
        pytest.skip(f"this processor has nothing wider than {used}")
    assert narrow == digest
