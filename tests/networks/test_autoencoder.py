"""The contract: an encoder and a decoder that are the two halves of one plain chain of layers."""

from pathlib import Path

import keras
import numpy as np
import pytest

from cae.core import files
from cae.core.errors import UserError
from cae.networks import autoencoder
from tests import default

IMAGES = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)


def test_the_whole_is_the_decoder_behind_the_encoder() -> None:
    encoder, decoder, network = default.autoencoder(seed=1)
    np.testing.assert_array_equal(decoder(encoder(IMAGES)), network(IMAGES))
    assert [*encoder.layers, *decoder.layers] == network.layers


def test_codes_are_rows_that_are_decoded_to_images() -> None:
    network = default.autoencoder(seed=1)
    codes = network.encode(IMAGES)
    np.testing.assert_array_equal(codes, np.reshape(network.encoder(IMAGES), (3, network.code_size)))
    np.testing.assert_array_equal(network.decode(codes), autoencoder.predict(network.network, IMAGES))
    assert network.decode(codes[:, np.newaxis]).shape == IMAGES.shape


def test_the_halves_share_the_weights_of_the_whole() -> None:
    encoder, decoder, network = default.autoencoder(seed=1)
    weights = [*encoder.weights, *decoder.weights]
    assert all(half is whole for half, whole in zip(weights, network.weights, strict=True))


def test_layers_are_named_by_half_place_and_kind() -> None:
    names = [layer.name for layer in default.autoencoder(seed=1).network.layers]
    assert names[0] == "encoder_0_conv2d"
    assert names[5:7] == ["encoder_5_maxpooling2d", "decoder_6_conv2d"]
    assert names[12] == "decoder_12_conv2d"


def test_a_saved_network_comes_back_with_its_halves(tmp_path: Path) -> None:
    built = default.autoencoder(seed=1)
    files.write_model(tmp_path / "network.keras", built.network)
    loaded = autoencoder.load(tmp_path / "network.keras", default.IMAGE_SHAPE)
    for half, original in zip(loaded, built, strict=True):
        inputs = np.ones((2, *original.input_shape[1:]), np.float32)
        np.testing.assert_array_equal(half(inputs), original(inputs))


def test_predict_gives_codes_and_images_whatever_the_number_of_inputs() -> None:
    encoder, _, network = default.autoencoder(seed=1)
    many = np.repeat(IMAGES, 200, axis=0)
    assert autoencoder.predict(encoder, many).shape == (600, 4, 4, 8)
    assert autoencoder.predict(network, many)[-1] == pytest.approx(np.asarray(network(IMAGES))[-1], abs=1e-6)


def test_the_largest_output_is_found_in_halves_and_in_layers_with_several_outputs() -> None:
    assert autoencoder.find_largest_output(default.autoencoder(seed=1).network) == 32 * 28 * 28
    image = keras.Input((2, 2, 1))
    split = keras.ops.split(keras.layers.Dense(6)(image), 2, axis=-1)
    assert autoencoder.find_largest_output(keras.Model(image, split)) == 6 * 2 * 2


def make_network(*layers: keras.Layer, shape: tuple[int | None, ...] = (28, 28, 1)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *layers])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (make_network(keras.layers.Flatten()), r"maps \(28, 28, 1\) to \(784,\), .*, not the encoder"),
        (make_network(keras.layers.ReLU()), "has no code: the layers of .* are not an encoder's and then"),
        (make_network(keras.layers.ReLU(), shape=(None, None, 1)), "a fixed height and width .* are needed"),
        (make_network(keras.layers.ReLU(), shape=(28, 28, 2)), "1 or 3 channels are needed"),
        (make_network(keras.layers.ReLU(), shape=(36, 28, 1)), r"but \(28, 28, 1\) is needed"),
        # A file can hold code, which must not be run.
        (make_network(keras.layers.Lambda(lambda x: x)), "not a network that Keras loads safely .*Lambda"),
    ],
)
def test_a_file_that_is_no_such_autoencoder_is_refused(
    tmp_path: Path, network: keras.Model, message: str
) -> None:
    network.save(tmp_path / "network.keras")
    shape = default.IMAGE_SHAPE if "28, 28, 1" in message else None
    with pytest.raises(UserError, match=message):
        autoencoder.load(tmp_path / "network.keras", shape)


def test_a_missing_or_broken_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a file"):
        autoencoder.load(tmp_path)
    (tmp_path / "network.keras").write_bytes(b"not a zip file")
    with pytest.raises(UserError, match="is not a network that Keras loads safely"):
        autoencoder.load(tmp_path / "network.keras")
