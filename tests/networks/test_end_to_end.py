"""One model does what scaling, mirroring, the network and the scores do one after another."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from cae.core import files
from cae.datasets.intensity import apply_window
from cae.datasets.resizing import pad_by_mirroring
from cae.datasets.samples import Sample
from cae.metrics import error_maps
from cae.metrics.scores import build_reconstruction_score
from cae.networks import convolutional, end_to_end, residual
from cae.networks.autoencoder import Autoencoder, predict

EIGHT, SIXTEEN = (np.uint8, (0, 255)), (np.uint16, (1000, 4095))
Pixels = npt.NDArray[Any]


@cache
def network(channels: int) -> Autoencoder:
    return convolutional.build(convolutional.Settings(filters=(8, 4, 2)), (28, 28, channels), seed=1)


def draw_pixels(dtype: type, *shape: int) -> Pixels:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (3, *shape), dtype, endpoint=True)


def compute_by_steps(
    autoencoder: Autoencoder, pixels: Pixels, window: tuple[float, float], smoothing: float | None
) -> dict[str, Pixels]:
    """What the model is to give, one step after another as the library takes them."""
    height, width = pixels.shape[1:3]
    images = apply_window(Sample("drawn", pixels), window)
    larger = pad_by_mirroring(images, *autoencoder.network.input_shape[1:3])
    made = predict(autoencoder.network, larger)[:, :height, :width]
    maps = [error_maps.compute_error_maps(image, again) for image, again in zip(images, made, strict=True)]
    return {
        "reconstruction": made,
        "code": predict(autoencoder.encoder, larger).reshape(len(pixels), -1),
        "error": np.stack([error_maps.smooth(squared, smoothing) for squared in maps]),
        "score": np.array([error_maps.compute_score(squared, smoothing) for squared in maps]),
    }


def check_outputs(found: dict[str, Pixels], expected: dict[str, Pixels]) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].shape == values.shape, name
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("smoothing", [None, 1.5])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("dtype", "window"), [EIGHT, SIXTEEN], ids=["uint8", "uint16"])
@pytest.mark.parametrize("side", [23, 28])
def test_it_gives_what_the_steps_give_one_after_another(
    side: int, dtype: type, window: tuple[float, float], channels: int, smoothing: float | None
) -> None:
    pixels = draw_pixels(dtype, side, side, channels)
    model = end_to_end.build(
        build_reconstruction_score(network(channels)).model, (side, side), window, smoothing, None
    )
    check_outputs(
        model.predict(pixels, verbose=0), compute_by_steps(network(channels), pixels, window, smoothing)
    )


@pytest.mark.parametrize(("size", "smoothing"), [((1, 28), 1.5), ((3, 5), 4.0)])
def test_few_pixels_are_mirrored_more_than_once(size: tuple[int, int], smoothing: float) -> None:
    pixels = draw_pixels(np.uint8, *size, 1)
    model = end_to_end.build(build_reconstruction_score(network(1)).model, size, (0, 255), smoothing, None)
    check_outputs(model.predict(pixels, verbose=0), compute_by_steps(network(1), pixels, (0, 255), smoothing))


def test_a_network_with_dense_layers_does_as_well() -> None:
    dense = residual.build(residual.Settings(code_size=4, width=8), (28, 28, 1), seed=1)
    pixels = draw_pixels(np.uint8, 23, 28, 1)
    model = end_to_end.build(build_reconstruction_score(dense).model, (23, 28), (0, 255), None, None)
    check_outputs(model.predict(pixels, verbose=0), compute_by_steps(dense, pixels, (0, 255), None))


def test_an_anomaly_has_a_score_above_the_threshold() -> None:
    pixels = draw_pixels(np.uint8, 28, 28, 1)
    scores = compute_by_steps(network(1), pixels, (0, 255), None)["score"]
    found = end_to_end.build(
        build_reconstruction_score(network(1)).model,
        (28, 28),
        (0, 255),
        None,
        float(np.median(scores)) + 1e-6,
    )(pixels)
    assert keras.ops.convert_to_numpy(found["anomaly"]).tolist() == (scores > np.median(scores)).tolist()
    assert found["anomaly"].dtype == "bool"


def test_images_larger_than_the_network_are_refused() -> None:
    with pytest.raises(ValueError, match=r"images of \(28, 29\) are larger than those of the network"):
        end_to_end.build(build_reconstruction_score(network(1)).model, (28, 29), (0, 255), None, None)


def test_it_shares_the_layers_of_the_network() -> None:
    model = end_to_end.build(build_reconstruction_score(network(1)).model, (28, 28), (0, 255), None, None)
    assert all(one is other for one, other in zip(model.weights, network(1).network.weights, strict=True))


def test_it_is_written_with_the_same_bytes_whatever_was_made_before(tmp_path: Path) -> None:
    for name in ("a.keras", "b.keras"):
        model = end_to_end.build(build_reconstruction_score(network(1)).model, (23, 23), (0, 255), 1.5, 0.1)
        files.write_model(tmp_path / name, model)
        keras.layers.Conv2D(1, 3)(keras.ops.square(keras.Input((8, 8, 1))))
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


FRESH = """
import keras, numpy
model = keras.saving.load_model("whole.keras")
numpy.savez("found.npz", **model.predict(numpy.load("pixels.npy"), verbose=0))
"""


@pytest.mark.slow
def test_plain_keras_loads_it_in_safe_mode(tmp_path: Path) -> None:
    pixels = draw_pixels(np.uint16, 23, 23, 3)
    model = end_to_end.build(build_reconstruction_score(network(3)).model, (23, 23), (1000, 4095), 1.5, 0.1)
    files.write_model(tmp_path / "whole.keras", model)
    np.save(tmp_path / "pixels.npy", pixels)
    # Isolated: nothing of this project can be imported.
    subprocess.run([sys.executable, "-I", "-c", FRESH], cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "found.npz") as found:
        check_outputs(dict(found), model.predict(pixels, verbose=0))
