"""One network for pictures of any size, and nothing else passes for one."""

import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

from cae.cli import DEFAULT
from cae.core import files
from cae.core.errors import UserError
from cae.networks import residual
from cae.networks.autoencoder import load, predict
from cae.networks.resizable import ResizableAutoencoder

ROOT = Path(__file__).parents[2]


def test_the_network_that_comes_along_is_that_of_the_last_run() -> None:
    train = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]["train"]["outs"]
    (md5,) = (out["md5"] for out in train if out["path"] == "models/autoencoder.keras")
    assert hashlib.md5(DEFAULT.read_bytes()).hexdigest() == md5


@pytest.mark.parametrize(("side", "closes"), [(1, 4), (20, 20), (23, 28), (28, 28), (73, 76), (100, 100)])
def test_it_closes_on_the_next_side_that_comes_back(side: int, closes: int) -> None:
    assert ResizableAutoencoder(DEFAULT).closing(side) == closes


def test_a_part_of_a_picture_looks_the_same_as_in_the_whole() -> None:
    trained = ResizableAutoencoder(DEFAULT)
    whole = np.random.default_rng(0).random((1, 140, 140, 1), dtype=np.float32)
    part = whole[:, 16:132, 16:132]
    of_whole, of_part = (
        predict(trained.of_size(side, side).network, images) for side, images in ((140, whole), (116, part))
    )
    # Farther from an edge than an answer looks.
    np.testing.assert_allclose(of_part[:, 40:76, 40:76], of_whole[:, 56:92, 56:92], atol=1e-6)


def saved(network: keras.Model, folder: Path) -> Path:
    network.save(folder / "network.keras")
    return folder / "network.keras"


def test_a_network_with_dense_layers_takes_its_own_size_alone(tmp_path: Path) -> None:
    files.write_model(
        tmp_path / "network.keras",
        residual.build(residual.Settings(code_size=4, width=8), (28, 28, 1), 1).network,
    )
    trained = ResizableAutoencoder(tmp_path / "network.keras")
    assert not trained.stretches
    with pytest.raises(UserError, match="28×28 alone: add --resize"):
        trained.closing(30)


def test_code_in_a_network_is_not_run(tmp_path: Path) -> None:
    image = keras.Input((28, 28, 1))
    # In the place of harm: what a Lambda layer holds would run on loading.
    network = keras.Model(image, keras.layers.Lambda(lambda values: values * 2)(image))
    with pytest.raises(UserError, match=r"not a network that Keras loads safely .*Lambda"):
        load(saved(network, tmp_path))


def test_half_a_network_is_named(tmp_path: Path) -> None:
    image = keras.Input((28, 28, 1))
    with pytest.raises(UserError, match=r"Name models/autoencoder\.keras, not the encoder"):
        load(saved(keras.Model(image, keras.layers.Flatten()(image)), tmp_path))


def test_a_network_without_a_code_is_named(tmp_path: Path) -> None:
    image = keras.Input((28, 28, 1))
    with pytest.raises(UserError, match="has no code"):
        load(saved(keras.Model(image, keras.layers.ReLU()(image)), tmp_path))


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "network.keras").write_text("not a network")
    with pytest.raises(UserError, match="is not a network that Keras loads safely"):
        load(tmp_path / "network.keras")
    with pytest.raises(UserError, match="is not a file"):
        load(tmp_path)
