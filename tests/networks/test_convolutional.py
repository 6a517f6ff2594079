"""The network: its layers, shapes and parameters, drawn from its seed alone."""

from pathlib import Path

import keras
import numpy as np
import pytest

from cae.ground import artifacts
from cae.ground.errors import UserError
from cae.networks import convolutional

IMAGES = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)


def test_its_layers_are_those_of_the_mission() -> None:
    layers = convolutional.autoencoder(seed=1).layers
    kinds = [type(layer).__name__ for layer in layers]
    assert kinds == ["Conv2D", "MaxPooling2D"] * 3 + ["Conv2D", "UpSampling2D"] * 3 + ["Conv2D"]
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [32, 16, 8, 8, 16, 32, 1]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert [layer.padding for layer in convolutions] == ["same"] * 5 + ["valid", "same"]
    assert [layer.activation.__name__ for layer in convolutions] == ["relu"] * 6 + ["sigmoid"]


def test_it_has_12_785_parameters() -> None:
    assert convolutional.autoencoder(seed=1).count_params() == 12_785


def test_it_turns_images_into_images() -> None:
    reconstructions = np.asarray(convolutional.autoencoder(seed=1)(IMAGES))
    assert reconstructions.shape == IMAGES.shape
    assert reconstructions.min() >= 0
    assert reconstructions.max() <= 1


def test_its_encoder_shares_its_weights_and_gives_128_numbers() -> None:
    network = convolutional.autoencoder(seed=1)
    encoder = convolutional.encoder(network)
    assert encoder(IMAGES).shape == (3, 4, 4, 8)
    assert convolutional.CODE_SIZE == 128
    assert all(mine is its for mine, its in zip(encoder.weights, network.weights))


def test_the_seed_alone_decides_the_first_weights() -> None:
    keras.utils.set_random_seed(1)
    first = convolutional.autoencoder(seed=1).get_weights()
    keras.utils.set_random_seed(2)
    again, other = (
        convolutional.autoencoder(seed=1).get_weights(),
        convolutional.autoencoder(seed=2).get_weights(),
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not np.array_equal(first[0], other[0])


def test_no_two_kernels_start_from_the_same_numbers() -> None:
    kernels = [weight for weight in convolutional.autoencoder(seed=1).get_weights() if weight.ndim == 4]
    # Before scaling, Glorot draws are the same for the same seed: compare the signs.
    signs = {np.sign(kernel.ravel()[:72]).tobytes() for kernel in kernels}
    assert len(signs) == len(kernels)


def test_a_saved_network_is_loaded(tmp_path: Path) -> None:
    artifacts.write_model(tmp_path / "network.keras", convolutional.autoencoder(seed=1))
    network = convolutional.load(tmp_path / "network.keras", convolutional.IMAGE_SHAPE)
    np.testing.assert_array_equal(network(IMAGES), convolutional.autoencoder(seed=1)(IMAGES))


def test_a_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    artifacts.write_model(
        tmp_path / "network.keras", convolutional.encoder(convolutional.autoencoder(seed=1))
    )
    with pytest.raises(UserError, match=r"maps \(28, 28, 1\) to \(4, 4, 8\), but .* is needed"):
        convolutional.load(tmp_path / "network.keras", convolutional.IMAGE_SHAPE)


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "network.keras").write_bytes(b"not a zip file")
    with pytest.raises(UserError, match="not a readable Keras model"):
        convolutional.load(tmp_path / "network.keras", convolutional.IMAGE_SHAPE)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        convolutional.load(tmp_path / "network.keras", convolutional.IMAGE_SHAPE)
