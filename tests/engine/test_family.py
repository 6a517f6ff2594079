"""Every network that params.yaml can name keeps the contract, saved and loaded."""

from pathlib import Path

import numpy as np
import pytest
from keras import layers

from cae.core import files, params
from cae.core.params import Model
from cae.engine import family
from cae.networks import autoencoder

NAMES = ("convolutional", "residual", "variational")
ROOT = Path(__file__).parents[2]
IMAGES = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)


def chosen(name: str) -> Model:
    committed = params.load(ROOT / "params.yaml").model
    wide = {"residual": committed.residual, "variational": committed.variational}
    small = {name: values.model_copy(update={"width": 32}) for name, values in wide.items()}
    return committed.model_copy(update={"name": name, **small})


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_its_halves_and_gives_images(name: str) -> None:
    built = family.build(chosen(name), (28, 28, 1), seed=1)
    reconstructions = np.asarray(built.network(IMAGES))
    np.testing.assert_array_equal(built.decoder(built.encoder(IMAGES)), reconstructions)
    assert reconstructions.shape == IMAGES.shape
    assert 0 <= reconstructions.min() <= reconstructions.max() <= 1
    # Of a posterior only the mean is a code.
    assert {id(weight) for weight in built.network.weights} >= {
        id(weight) for half in (built.encoder, built.decoder) for weight in half.weights
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_network_comes_back_with_its_halves(name: str, tmp_path: Path) -> None:
    built = family.build(chosen(name), (28, 28, 1), seed=1)
    files.write_model(tmp_path / "network.keras", built.network)
    loaded = autoencoder.load(tmp_path / "network.keras", (28, 28, 1))
    np.testing.assert_array_equal(loaded.network(IMAGES), built.network(IMAGES))
    np.testing.assert_array_equal(loaded.encoder(IMAGES), built.encoder(IMAGES))
    np.testing.assert_array_equal(loaded.decoder(loaded.encoder(IMAGES)), built.network(IMAGES))


@pytest.mark.parametrize("name", NAMES)
def test_no_layer_needs_code_of_ours(name: str) -> None:
    built = family.build(chosen(name), (28, 28, 1), seed=1)
    kinds = {type(layer) for layer in built.network._flatten_layers(include_self=False)}
    assert all(kind.__module__.startswith("keras.") for kind in kinds)
    assert layers.Lambda not in kinds
