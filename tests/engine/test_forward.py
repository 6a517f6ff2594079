"""The forward function is the network: same values, same gradients, whatever the architecture."""

import hashlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from cae.engine import forward, operations  # isort: split

import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from keras import layers

from tests import default

Shape = tuple[int, int, int]


def outcome(model: keras.Model, function: Callable[[tf.Tensor], tf.Tensor], seed: int = 0) -> list[Any]:
    """Return the output and the gradients of a random linear function of it."""
    numbers = np.random.default_rng(seed)
    images = tf.constant(numbers.integers(0, 3, (3, *model.input_shape[1:])).astype("float32"))
    pull = tf.constant(numbers.integers(-2, 3, (3, *model.output_shape[1:])).astype("float32"))
    variables = [variable.value for variable in model.trainable_variables]

    def run() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = function(images)
            value = tf.reduce_sum(output * pull)
        return output, tape.gradient(value, [images, *variables], unconnected_gradients="zero")

    output, gradients = tf.function(run)()
    return [output.numpy(), *(gradient.numpy() for gradient in gradients)]


def assert_same(model: keras.Model) -> None:
    run, gives_logits = forward.build(model, fast=True)
    stock = outcome(model, lambda images: model(images, training=True))
    ours = outcome(model, lambda images: tf.sigmoid(run(images)) if gives_logits else run(images))
    for expected, found in zip(stock, ours, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(np.abs(expected).max(), 1e-30))


def with_small_integers(shape: Shape, chain: list[keras.Layer], seed: int = 0) -> keras.Sequential:
    """Build a model that computes exactly in float32, so that equal values tie in pooling, and often."""
    model = keras.Sequential([keras.Input(shape), *chain])
    numbers = np.random.default_rng(seed)
    model.set_weights([numbers.integers(-1, 2, weight.shape) for weight in model.get_weights()])
    return model


@st.composite
def architectures(draw: st.DrawFn) -> keras.Sequential:
    side = st.integers(1, 3)
    shape = (draw(st.integers(4, 9)), draw(st.integers(4, 9)), draw(st.sampled_from([1, 3, 8, 17])))
    chain: list[keras.Layer] = []
    rows, columns = shape[:2]
    for _ in range(draw(st.integers(1, 4))):
        padding = draw(st.sampled_from(["same", "valid"])) if min(rows, columns) > 3 else "same"
        kind = draw(st.sampled_from(["convolution", "convolution", "pooling", "upsampling", "activation"]))
        if kind == "convolution":
            layer = layers.Conv2D(
                draw(st.sampled_from([1, 2, 5, 16, 33])),
                (draw(side), draw(side)),
                strides=draw(st.sampled_from([1, 1, 1, 2])),
                padding=padding,
                activation=draw(st.sampled_from(["relu", None])),
                use_bias=draw(st.booleans()),
                kernel_initializer="zeros",
            )
        elif kind == "pooling":
            strides = draw(st.sampled_from([None, 1, 2]))
            layer = layers.MaxPooling2D((draw(side), draw(side)), strides=strides, padding=padding)
        elif kind == "upsampling" and max(rows, columns) < 10:
            layer = layers.UpSampling2D(draw(st.sampled_from([1, 2, 3, (1, 2)])))
        else:
            layer = layers.Activation("relu")
        chain.append(layer)
        rows, columns = keras.Sequential([keras.Input(shape), *chain]).output_shape[1:3]
    if draw(st.booleans()):
        chain += [layers.Flatten(), layers.Dense(4, kernel_initializer="zeros"), layers.Reshape((2, 2, 1))]
    chain += draw(st.sampled_from([[], [layers.Activation("sigmoid")]]))
    return with_small_integers(shape, chain, seed=draw(st.integers(0, 99)))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(architectures())
def test_any_architecture_has_the_stock_values_and_gradients(model: keras.Sequential) -> None:
    assert_same(model)


def test_the_autoencoder_has_the_stock_values_and_gradients() -> None:
    assert_same(default.autoencoder(seed=3).network)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="a GPU trains the stock layers")
def test_each_convolution_is_one_operation_with_all_that_belongs_to_it() -> None:
    graph = tf.function(
        forward.build(default.autoencoder(seed=3).network, fast=True).run
    ).get_concrete_function(tf.TensorSpec((2, 28, 28, 1)))
    kinds = [operation.type for operation in graph.graph.get_operations()]
    assert kinds.count("CaeConvolution") == 7
    assert not {"Conv2D", "MaxPool", "Relu", "ResizeNearestNeighbor"} & set(kinds)


def shapes() -> Iterator[keras.Sequential]:
    """Models with every way to compute a convolution, with widths that fill vectors and that do not."""
    numbers = np.random.default_rng(0)
    for channels, filters in itertools.product([1, 3, 16, 17], [1, 5, 8, 33]):
        for chain in (
            [layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)],
            [layers.Conv2D(filters, (2, 3)), layers.MaxPooling2D(3, strides=2, padding="same")],
            [layers.UpSampling2D(2), layers.Conv2D(filters, 3, padding="same")],
            [layers.UpSampling2D(3), layers.Conv2D(filters, 2, activation="relu")],
        ):
            model = keras.Sequential([keras.Input((7, 6, channels)), *chain])
            model.set_weights([numbers.normal(size=weight.shape) for weight in model.get_weights()])
            yield model


def digest() -> str:
    """Hash what the functions of `shapes` give, with gradients."""
    found = hashlib.sha256()
    for model in shapes():
        for values in outcome(model, forward.build(model, fast=True).run):
            found.update(values.tobytes())
    return found.hexdigest()


def digest_with(**environment: str) -> list[str]:
    """Return `digest` of a process of its own, and the instruction set that it used."""
    script = "import stages; from cae.core import runtime; runtime.configure(); "
    script += "from tests.engine.test_forward import digest; from cae.engine import operations; "
    script += "print(digest(), operations.get_instruction_set())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["avx2", "portable"])
def test_every_instruction_set_gives_the_same_bits(instructions: str) -> None:
    found, used = digest_with(CAE_INSTRUCTIONS=instructions)
    if used != instructions or used == operations.get_instruction_set():
        pytest.skip(f"this processor has nothing wider than {used}")
    assert found == digest()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("clang"), reason="this machine has one compiler")
def test_every_compiler_gives_the_same_bits() -> None:
    assert digest_with(CC="cc") == digest_with(CC="clang")


@pytest.mark.parametrize("filters", [1, 16])
def test_a_kernel_may_be_larger_than_the_image(filters: int) -> None:
    assert_same(with_small_integers((3, 2, 4), [layers.Conv2D(filters, 9, padding="same")]))


def test_what_is_not_a_number_gets_through() -> None:
    chain = [
        layers.Conv2D(1, 1, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(1, 1, activation="relu"),
    ]
    model = with_small_integers((2, 2, 1), chain)
    model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
    for place in range(4):
        images = np.full((1, 2, 2, 1), -3, dtype="float32")
        images.flat[place] = np.nan
        assert np.isnan(forward.build(model, fast=True).run(tf.constant(images)).numpy()).all()


def test_a_layer_may_be_shared_with_a_model_of_another_shape() -> None:
    layer = layers.Conv2D(2, 3, padding="same")
    keras.Sequential([keras.Input((8, 8, 1)), layer])
    assert_same(keras.Sequential([keras.Input((12, 10, 1)), layer, layers.MaxPooling2D(2)]))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("filters", [1, 16])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_upsampling_folds_into_the_convolution_behind_it(
    size: int, filters: int, scale: int, padding: str
) -> None:
    chain = [layers.UpSampling2D(scale), layers.Conv2D(filters, size, padding=padding, activation="relu")]
    assert_same(with_small_integers((5, 6, 4), chain))


def test_a_tie_in_pooling_sends_the_whole_gradient_to_the_first_maximum() -> None:
    model = keras.Sequential([keras.Input((2, 2, 1)), layers.Conv2D(1, 1), layers.MaxPooling2D(2)])
    model.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    images = tf.constant([0.0, 5.0, 5.0, 5.0], shape=(1, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        output = forward.build(model, fast=True).run(images)
    assert tape.gradient(output, images).numpy().ravel().tolist() == [0, 1, 0, 0]


def test_a_window_without_a_positive_value_gets_no_gradient() -> None:
    chain = [layers.Conv2D(1, 1, activation="relu"), layers.MaxPooling2D(2)]
    model = keras.Sequential([keras.Input((2, 2, 1)), *chain])
    model.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    images = tf.constant([-1.0, 0.0, -2.0, 0.0], shape=(1, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        output = forward.build(model, fast=True).run(images)
    assert not tape.gradient(output, images).numpy().any()


@pytest.mark.parametrize(
    "last",
    [
        layers.Conv2D(1, 3, activation="sigmoid"),
        layers.Conv2D(1, 3, strides=2, activation="sigmoid"),
        layers.Activation("sigmoid"),
        layers.Dense(2, activation="sigmoid"),
    ],
    ids=["convolution", "strided", "activation", "dense"],
)
def test_a_final_sigmoid_is_left_to_the_loss(last: keras.Layer) -> None:
    model = with_small_integers((6, 6, 2), [last])
    assert forward.build(model, fast=True).gives_logits
    assert_same(model)


def test_a_model_without_a_final_sigmoid_gives_its_output() -> None:
    assert not forward.build(
        with_small_integers((6, 6, 2), [layers.Conv2D(1, 3, activation="tanh")]), fast=True
    ).gives_logits


def test_a_layer_it_does_not_know_runs_and_trains_as_it_is() -> None:
    chain = [
        layers.Conv2DTranspose(3, 3, strides=2),
        layers.Conv2D(4, 3, dilation_rate=2),
        layers.LayerNormalization(),
        layers.Conv2D(2, 3, activation="softmax"),
    ]
    assert_same(keras.Sequential([keras.Input((6, 6, 2)), *chain]))


def test_it_follows_the_models_own_variables() -> None:
    model = with_small_integers((6, 6, 2), [layers.Conv2D(1, 3)])
    run, images = forward.build(model, fast=True).run, tf.ones((1, 6, 6, 2))
    model.set_weights([np.ones((3, 3, 2, 1)), np.ones(1)])
    assert run(images).numpy().ravel().tolist() == [19.0] * 16


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.Conv2D(1, 3, kernel_regularizer="l2"), "regularizers"),
        (layers.Conv2D(1, 3, activity_regularizer="l2"), "regularizers"),
        (layers.Conv2D(1, 3, kernel_constraint="non_neg"), "constraints"),
        (layers.Conv2D(1, 3, trainable=False), "frozen weights"),
        (layers.BatchNormalization(), "BatchNormalization"),
        (layers.Dropout(0.5), "Dropout"),
    ],
    ids=["kernel regularizer", "activity regularizer", "constraint", "frozen", "batch norm", "dropout"],
)
def test_what_it_would_leave_out_is_refused_and_not_forgotten(layer: keras.Layer, message: str) -> None:
    model = keras.Sequential([keras.Input((6, 6, 2)), layer])
    with pytest.raises(ValueError, match=message):
        forward.check(model)


def branched(last: keras.layers.Layer) -> keras.Model:
    """A network with a path around its middle, which no chain of layers has."""
    image = keras.Input((6, 6, 2))
    x = layers.Conv2D(2, 3, padding="same", activation="relu")(image)
    return keras.Model(image, last(layers.Add()([x, image])))


@pytest.mark.parametrize(
    "last",
    [layers.Conv2D(1, 3, activation="sigmoid"), layers.Activation("sigmoid"), layers.Flatten()],
    ids=["convolution", "activation", "no sigmoid"],
)
def test_no_branch_is_lost(last: keras.layers.Layer) -> None:
    network = branched(last)
    assert forward.build(network, fast=True).gives_logits == (not isinstance(last, layers.Flatten))
    assert_same(network)


def test_a_network_that_ends_in_a_merge_runs_as_it_is() -> None:
    image = keras.Input((6, 6, 2))
    assert_same(keras.Model(image, layers.Add()([layers.Conv2D(2, 3, padding="same")(image), image])))


def test_chains_inside_a_chain_are_one_chain() -> None:
    _, _, network = default.autoencoder(seed=3)
    halves = keras.Sequential(
        [keras.Input((28, 28, 1)), default.autoencoder(3).encoder, default.autoencoder(3).decoder]
    )
    graph = tf.function(forward.build(halves, fast=True).run).get_concrete_function(
        tf.TensorSpec((2, 28, 28, 1))
    )
    assert [operation.type for operation in graph.graph.get_operations()].count("CaeConvolution") == 7
    images = tf.random.stateless_uniform((2, 28, 28, 1), seed=(1, 2))
    np.testing.assert_array_equal(
        forward.build(halves, fast=True).run(images), forward.build(network, fast=True).run(images)
    )


def test_without_fast_the_layers_run_as_they_are() -> None:
    network = default.autoencoder(seed=3).network
    graph = tf.function(forward.build(network, fast=False).run).get_concrete_function(
        tf.TensorSpec((2, 28, 28, 1))
    )
    kinds = {operation.type for operation in graph.graph.get_operations()}
    assert "CaeConvolution" not in kinds
    images = tf.random.stateless_uniform((2, 28, 28, 1), seed=(1, 2))
    expected = network(images)
    np.testing.assert_allclose(
        tf.sigmoid(forward.build(network, fast=False).run(images)), expected, rtol=1e-5, atol=1e-6
    )


def test_an_autoencoder_made_of_models_is_the_chain_of_their_layers() -> None:
    encoder, decoder, _ = default.autoencoder(seed=3)
    image = keras.Input((28, 28, 1))
    network = keras.Model(image, decoder(encoder(image)))
    assert forward.build(network, fast=True).gives_logits
    assert_same(network)


def test_a_model_with_branches_inside_a_chain_is_not_taken_apart() -> None:
    network = keras.Sequential([keras.Input((6, 6, 2)), branched(layers.Activation("sigmoid"))])
    assert forward.build(network, fast=True).gives_logits
    assert_same(network)


def test_a_layer_of_a_kind_of_its_own_runs_as_it_is() -> None:
    class Doubled(layers.Dense):
        def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
            return 2 * super().call(inputs)

    network = with_small_integers((3, 3, 2), [Doubled(2, activation="sigmoid")])
    assert not forward.build(network, fast=True).gives_logits
    assert_same(network)
