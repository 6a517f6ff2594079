"""A model as ONNX gives what Keras gives."""

import importlib.util
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from cae.core.errors import UserError
from cae.datasets.preprocessing import Preprocessing
from cae.metrics.scores import build_reconstruction_score
from cae.networks import end_to_end, onnx_export, residual
from tests import default

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "tf2onnx")),
    reason="the extra onnx is not installed: pip install '.[onnx]'",
)
Pixels = npt.NDArray[Any]


def build(side: int, smoothing: float | None) -> keras.Model:
    score = build_reconstruction_score(default.autoencoder(seed=1))
    return end_to_end.build(score.model, (side, side), (0, 255), smoothing, 0.06)


def draw_pixels(count: int, side: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 1)).astype(np.float32)


def run(content: bytes, pixels: Pixels) -> dict[str, Pixels]:
    from onnxruntime import InferenceSession

    session = InferenceSession(content)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"pixels": pixels}), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("side", "smoothing"), [(28, None), (23, 1.5)])
def test_onnx_gives_what_keras_gives_for_any_number_of_images(side: int, smoothing: float | None) -> None:
    model = build(side, smoothing)
    content = onnx_export.convert(model, {"black": 0.0})
    for count in (1, 64):
        pixels = draw_pixels(count, side)
        pixels[0, 5, 5] = np.nan
        found, expected = run(content, pixels), model.predict(pixels, verbose=0)
        assert set(found) == set(expected)
        for name in ("code", "error", "reconstruction", "score"):
            np.testing.assert_allclose(found[name][1:], expected[name][1:], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(found["anomaly"], expected["anomaly"])
        assert found["anomaly"][0]


def test_dense_layers_are_converted_and_metadata_is_kept() -> None:
    from onnxruntime import InferenceSession

    dense = residual.build(residual.Settings(code_size=4, width=8), (28, 28, 1), 1)
    model = end_to_end.build(build_reconstruction_score(dense).model, (28, 28), (0, 255), None, None)
    content = onnx_export.convert(model, end_to_end.make_metadata((0, 255), Preprocessing(), None, None, 1.0))
    pixels = draw_pixels(3, 28)
    found, expected = run(content, pixels), model.predict(pixels, verbose=0)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-5, err_msg=name)
    metadata = InferenceSession(content).get_modelmeta().custom_metadata_map
    assert {name: metadata[name] for name in ("black", "white", "threshold")} == {
        "black": "0.0",
        "white": "255.0",
        "threshold": "null",
    }


def test_an_operation_that_onnx_does_not_have_is_named() -> None:
    image = keras.Input((28, 28, 1), name="pixels")
    with pytest.raises(UserError, match=r"cannot be written as ONNX .*Erfinv"):
        onnx_export.convert(keras.Model(image, keras.ops.erfinv(image)), {})


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_what_was_built_before() -> None:
    assert onnx_export.convert(build(28, None), {}) == onnx_export.convert(build(28, None), {})
