"""One network for images of any size."""

from pathlib import Path

import numpy as np
import pytest

from cae.core import files
from cae.core.errors import UserError
from cae.networks import autoencoder, residual
from cae.networks.resizable import ResizableAutoencoder
from tests import default

IMAGES = np.random.default_rng(0).random((1, 140, 140, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "network.keras"
    files.write_model(path, default.autoencoder(seed=1).network)
    return path


def test_images_of_its_own_size_get_the_results_of_the_network(convolutional: Path) -> None:
    resizable, loaded = ResizableAutoencoder(convolutional), autoencoder.load(convolutional)
    images = IMAGES[:, :28, :28]
    np.testing.assert_array_equal(resizable.reconstruct(images), autoencoder.predict(loaded.network, images))
    codes = autoencoder.predict(loaded.encoder, images)
    np.testing.assert_array_equal(resizable.encode(images), codes.reshape(1, -1))


def test_a_part_of_an_image_is_reconstructed_as_in_the_whole(convolutional: Path) -> None:
    resizable = ResizableAutoencoder(convolutional)
    assert resizable.is_resizable
    whole, part = resizable.reconstruct(IMAGES), resizable.reconstruct(IMAGES[:, 16:132, 16:132])
    # Farther from the edges than the network's receptive field.
    np.testing.assert_allclose(part[:, 40:76, 40:76], whole[:, 56:92, 56:92], atol=1e-6)


def test_a_network_with_dense_layers_takes_its_own_size_only(tmp_path: Path) -> None:
    settings = residual.Settings(code_size=4, width=8)
    files.write_model(tmp_path / "network.keras", residual.build(settings, (28, 28, 1), 1).network)
    resizable = ResizableAutoencoder(tmp_path / "network.keras")
    assert not resizable.is_resizable
    assert resizable.reconstruct(IMAGES[:, :28, :28]).shape == (1, 28, 28, 1)
    with pytest.raises(UserError, match="takes images of 28×28 only, not 36×28"):
        resizable.resize(36, 28)
