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


def test_a_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    files.write_model(tmp_path / "network.keras", default.autoencoder(seed=1).encoder)
    with pytest.raises(UserError, match=r"maps \(28, 28, 1\) to \(4, 4, 8\), but .*, not the encoder"):
        autoencoder.load(tmp_path / "network.keras", default.IMAGE_SHAPE)


def test_a_network_whose_layers_do_not_tell_where_the_code_is_is_refused(tmp_path: Path) -> None:
    layers = [keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3, padding="same", name="somewhere")]
    files.write_model(tmp_path / "network.keras", keras.Sequential(layers))
    with pytest.raises(UserError, match=r"has no code: the layers of .* are not an encoder's and then"):
        autoencoder.load(tmp_path / "network.keras", (4, 4, 1))


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "network.keras").write_bytes(b"not a zip file")
    with pytest.raises(UserError, match="is not a network that Keras loads safely"):
        autoencoder.load(tmp_path / "network.keras", default.IMAGE_SHAPE)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a file"):
        autoencoder.load(tmp_path / "network.keras", default.IMAGE_SHAPE)
