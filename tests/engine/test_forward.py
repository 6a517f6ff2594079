"""The function built from a network has its values and gradients, whatever the architecture."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from keras import layers

from cae.engine import forward
from tests import default

Shape = tuple[int, int, int]


def compute_outputs_and_gradients(
    model: keras.Model, function: Callable[[tf.Tensor], tf.Tensor]
) -> list[Any]:
    """Return the output of a function, and the gradients of a random linear function of it."""
    numbers = np.random.default_rng(0)
    images = tf.constant(numbers.integers(0, 3, (3, *model.input_shape[1:])).astype("float32"))
    factors = tf.constant(numbers.integers(-2, 3, (3, *model.output_shape[1:])).astype("float32"))
    variables = [variable.value for variable in model.trainable_variables]

    def run() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = function(images)
            value = tf.reduce_sum(output * factors)
        return output, tape.gradient(value, [images, *variables], unconnected_gradients="zero")

    output, gradients = tf.function(run)()
    return [output.numpy(), *(gradient.numpy() for gradient in gradients)]


def assert_same(model: keras.Model, fast: bool = True) -> None:
    """Compare a network with the function that is built from it."""
    run, gives_logits = forward.build(model, fast)
    stock = compute_outputs_and_gradients(model, lambda images: model(images, training=True))
    ours = compute_outputs_and_gradients(
        model, lambda images: tf.sigmoid(run(images)) if gives_logits else run(images)
    )
    for expected, found in zip(stock, ours, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(np.abs(expected).max(), 1e-30))


def build_chain(shape: Shape, chain: list[keras.Layer], seed: int = 0) -> keras.Sequential:
    """Build a network with weights -1, 0 and 1: it computes exactly, and values often tie in pooling."""
    model = keras.Sequential([keras.Input(shape), *chain])
    numbers = np.random.default_rng(seed)
    model.set_weights([numbers.integers(-1, 2, weight.shape) for weight in model.get_weights()])
    return model


def build_branches(last: keras.Layer) -> keras.Model:
    """Build a network with a path around its convolution."""
    image = keras.Input((6, 6, 2))
    x = layers.Conv2D(2, 3, padding="same", activation="relu")(image)
    return keras.Model(image, last(layers.Add()([x, image])))


def build_models_in_a_model(functional: bool) -> keras.Model:
    """Build the default network from its encoder and decoder as layers."""
    encoder, decoder, _ = default.autoencoder(seed=3)
    image = keras.Input((28, 28, 1))
    return (
        keras.Model(image, decoder(encoder(image)))
        if functional
        else keras.Sequential([image, encoder, decoder])
    )


def build_shared_layer() -> keras.Model:
    """Build a network with a layer that a network of another shape has, too."""
    layer = layers.Conv2D(2, 3, padding="same")
    keras.Sequential([keras.Input((8, 8, 1)), layer])
    return keras.Sequential([keras.Input((12, 10, 1)), layer, layers.MaxPooling2D(2)])


def build_merge_at_the_end() -> keras.Model:
    image = keras.Input((6, 6, 2))
    return keras.Model(image, layers.Add()([layers.Conv2D(2, 3, padding="same")(image), image]))


class DoubledDense(layers.Dense):
    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return 2 * super().call(inputs)


UNKNOWN = (
    lambda: layers.Conv2DTranspose(3, 3, strides=2),
    lambda: layers.Conv2D(4, 3, dilation_rate=2),
    lambda: layers.LayerNormalization(),
    lambda: layers.Conv2D(2, 3, activation="softmax"),
)
# Network → whether a sigmoid at its end is left out.
NETWORKS: dict[str, tuple[Callable[[], keras.Model], bool]] = {
    "the default network": (lambda: default.autoencoder(seed=3).network, True),
    "models in a Sequential": (lambda: build_models_in_a_model(functional=False), True),
    "models in a functional model": (lambda: build_models_in_a_model(functional=True), True),
    "branches": (lambda: build_branches(layers.Conv2D(1, 3, activation="sigmoid")), True),
    "branches before an activation": (lambda: build_branches(layers.Activation("sigmoid")), True),
    "branches without a sigmoid": (lambda: build_branches(layers.Flatten()), False),
    "branches in a chain": (
        lambda: keras.Sequential([keras.Input((6, 6, 2)), build_branches(layers.Activation("sigmoid"))]),
        True,
    ),
    "merge at the end": (build_merge_at_the_end, False),
    "shared layer": (build_shared_layer, False),
    "unknown layers": (
        lambda: keras.Sequential([keras.Input((6, 6, 2)), *(build() for build in UNKNOWN)]),
        False,
    ),
    "class derived from a layer": (
        lambda: build_chain((3, 3, 2), [DoubledDense(2, activation="sigmoid")]),
        False,
    ),
    "kernel larger than the image": (
        lambda: build_chain((3, 2, 4), [layers.Conv2D(1, 9, padding="same")]),
        False,
    ),
    "large kernel with many filters": (
        lambda: build_chain((3, 2, 4), [layers.Conv2D(16, 9, padding="same")]),
        False,
    ),
    "sigmoid of a convolution": (
        lambda: build_chain((6, 6, 2), [layers.Conv2D(1, 3, activation="sigmoid")]),
        True,
    ),
    "sigmoid of a stride": (
        lambda: build_chain((6, 6, 2), [layers.Conv2D(1, 3, strides=2, activation="sigmoid")]),
        True,
    ),
    "sigmoid of a dense layer": (
        lambda: build_chain((6, 6, 2), [layers.Dense(2, activation="sigmoid")]),
        True,
    ),
    "tanh": (lambda: build_chain((6, 6, 2), [layers.Conv2D(1, 3, activation="tanh")]), False),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_its_values_and_gradients(name: str) -> None:
    build, gives_logits = NETWORKS[name]
    network = build()
    assert forward.build(network, fast=True).gives_logits == gives_logits
    assert_same(network)


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
    return build_chain(shape, chain, seed=draw(st.integers(0, 99)))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(architectures())
def test_a_random_network_has_its_values_and_gradients(model: keras.Sequential) -> None:
    assert_same(model)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("filters", [1, 16])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_an_upsampling_and_a_convolution_have_their_values_and_gradients(
    size: int, filters: int, scale: int, padding: str
) -> None:
    chain = [layers.UpSampling2D(scale), layers.Conv2D(filters, size, padding=padding, activation="relu")]
    assert_same(build_chain((5, 6, 4), chain))


@pytest.mark.parametrize(("fast", "convolutions"), [(True, 7), (False, 0)])
@pytest.mark.parametrize("name", ["the default network", "models in a Sequential"])
def test_each_convolution_with_its_upsampling_relu_and_pooling_is_one_operation_if_fast(
    name: str, fast: bool, convolutions: int
) -> None:
    network = NETWORKS[name][0]()
    function = tf.function(forward.build(network, fast).run)
    graph = function.get_concrete_function(tf.TensorSpec((2, 28, 28, 1))).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("CaeConvolution") == convolutions
    assert bool({"Conv2D", "MaxPool", "Relu", "ResizeNearestNeighbor"} & set(kinds)) != fast
    assert_same(network, fast)


@pytest.mark.parametrize(
    ("pixels", "gradient"),
    [([0, 5, 5, 5], [0, 1, 0, 0]), ([-1, 0, -2, 0], [0, 0, 0, 0])],
    ids=["the first maximum gets the gradient of a tie", "without a positive value there is none"],
)
def test_the_gradient_of_relu_and_pooling(pixels: list[float], gradient: list[float]) -> None:
    model = build_chain((2, 2, 1), [layers.Conv2D(1, 1, activation="relu"), layers.MaxPooling2D(2)])
    model.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    images = tf.constant(pixels, tf.float32, (1, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        output = forward.build(model, fast=True).run(images)
    assert tape.gradient(output, images).numpy().ravel().tolist() == gradient


@pytest.mark.parametrize("place", range(4))
def test_nan_passes_through_relu_and_pooling(place: int) -> None:
    chain = [
        layers.Conv2D(1, 1, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(1, 1, activation="relu"),
    ]
    model = build_chain((2, 2, 1), chain)
    model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
    images = np.full((1, 2, 2, 1), -3, dtype="float32")
    images.flat[place] = np.nan
    assert np.isnan(forward.build(model, fast=True).run(tf.constant(images)).numpy()).all()


def test_the_function_uses_the_variables_of_the_network() -> None:
    model = build_chain((6, 6, 2), [layers.Conv2D(1, 3)])
    run = forward.build(model, fast=True).run
    model.set_weights([np.ones((3, 3, 2, 1)), np.ones(1)])
    assert run(tf.ones((1, 6, 6, 2))).numpy().ravel().tolist() == [19.0] * 16


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
def test_what_training_would_ignore_is_refused(layer: keras.Layer, message: str) -> None:
    model = keras.Sequential([keras.Input((6, 6, 2)), layer])
    with pytest.raises(ValueError, match=message):
        forward.check(model)
