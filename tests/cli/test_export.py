"""One file that takes raw pixels elsewhere says what `cae score` says here."""

import importlib.util
import json
import sys
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from cae.cli import DEFAULT, graph, line
from cae.cli.export import Raw, export
from cae.core import files
from cae.core.errors import UserError
from cae.datasets.formats import idx
from cae.networks import end_to_end, residual
from cae.networks.resizable import ResizableAutoencoder

RAW = Path(__file__).parents[2] / "data/raw/t10k-images-idx3-ubyte.gz"
Pixels = npt.NDArray[Any]
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "tf2onnx")),
    reason="the extra onnx is not installed: pip install '.[onnx]'",
)


def shirts(count: int) -> Pixels:
    """Pictures (N, 28, 28, 1) uint8: of the test split where it was fetched, else drawn."""
    if RAW.exists():
        return np.stack(list(islice(idx.read_values(RAW, idx.IMAGES_MAGIC), count)))[..., np.newaxis]
    rows, columns = np.mgrid[:28, :28]
    widths = np.random.default_rng(0).integers(6, 13, (count, 1, 1))
    body = (abs(columns - 13.5) < widths - 2) & (rows > 3)
    arms = (abs(columns - 13.5) < widths + 1) & (rows > 3) & (rows < 11)
    shades = 120 + 5 * rows + np.random.default_rng(1).integers(-20, 20, (count, 28, 28))
    return ((body | arms) * shades).clip(0, 255).astype(np.uint8)[..., np.newaxis]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Nine pictures of 23 × 23."""
    (tmp_path / "photos").mkdir()
    for place, picture in enumerate(shirts(9)):
        Image.fromarray(picture[:23, :23, 0]).save(tmp_path / f"photos/{place}.png")
    return tmp_path / "photos"


def stacked(photos: Path) -> Pixels:
    pictures = [np.asarray(Image.open(path)) for path in sorted(photos.iterdir())]
    return np.stack(pictures)[..., np.newaxis]


def test_the_file_scores_as_the_command_does(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = ["--spot", "1.5", "--normal", str(photos), "--false-alarms", "0.35"]
    line.run(["export", "--out", str(tmp_path / "whole.keras"), "--size", "23", "23", *rest])
    printed = capsys.readouterr().out
    assert "threshold" in printed
    assert "23 × 23 × 1 raw pixels to reconstruction, code, error, score, anomaly in" in printed
    line.run(["score", str(photos), "--out", str(tmp_path / "scores.csv"), *rest])
    table = pd.read_csv(tmp_path / "scores.csv")
    found = keras.saving.load_model(tmp_path / "whole.keras").predict(stacked(photos), verbose=0)
    np.testing.assert_allclose(found["score"], table["score"], rtol=0, atol=1e-6)
    # That which is the threshold itself may fall on either side in the last bit.
    apart = abs(table["score"] - table["score"].nlargest(3).iloc[-1]) > 1e-6
    np.testing.assert_array_equal(found["anomaly"][apart], table["anomaly"][apart])
    assert table["anomaly"].sum() == 2


def test_without_a_size_it_takes_that_of_the_network_and_eight_bits(tmp_path: Path) -> None:
    line.run(["export", "--out", str(tmp_path / "whole.keras")])
    model = keras.saving.load_model(tmp_path / "whole.keras")
    assert model.input_shape == (None, 28, 28, 1)
    black, white = (keras.ops.full((1, 28, 28, 1), level) for level in (0, 255))
    for level, pixels in ((0, black), (1, white)):
        made = model(pixels)
        error = keras.ops.square(made["reconstruction"][..., 0] - level)
        np.testing.assert_allclose(made["error"], error, atol=1e-6)


def test_a_window_is_that_of_the_values_that_come(tmp_path: Path) -> None:
    line.run(["export", "--out", str(tmp_path / "whole.keras"), "--window", "-1000", "1000"])
    line.run(["export", "--out", str(tmp_path / "eight.keras")])
    values = shirts(3)
    hounsfield = values.astype(np.float32) * (2000 / 255) - 1000
    found, expected = (
        keras.saving.load_model(tmp_path / name).predict(pixels, verbose=0)
        for name, pixels in (("whole.keras", hounsfield), ("eight.keras", values))
    )
    np.testing.assert_allclose(found["reconstruction"], expected["reconstruction"], atol=1e-5)


def test_the_file_says_which_values_are_black_and_white(tmp_path: Path) -> None:
    line.run(["export", "--out", str(tmp_path / "whole.keras"), "--window", "-1000", "1000"])
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        facts = json.loads(archive.read("metadata.json"))
    assert (facts["black"], facts["white"]) == (-1000, 1000)


@pytest.mark.parametrize("spot", [None, 1.5])
def test_a_picture_with_pixels_that_are_no_numbers_is_an_anomaly(spot: float | None) -> None:
    model = end_to_end.build(ResizableAutoencoder(DEFAULT).own, (28, 28), (0, 255), spot, 1000)
    np.testing.assert_array_equal(model.predict(with_a_hole(), verbose=0)["anomaly"], [True, False])


def with_a_hole() -> Pixels:
    """Two pictures, the first with a pixel that is NaN."""
    pixels = shirts(2).astype(np.float32)
    pixels[0, 5, 5] = np.nan
    return pixels


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "whole.h5"], r"whole\.h5 ends neither in \.keras nor in \.onnx"),
        (["--out", "whole.keras", "--size", "0", "23"], "both sides must be at least 1"),
        (["--out", "whole.keras", "--window", "9", "1"], "the lower one first"),
        (["--out", "whole.keras", "--spot", "-1"], "must be above 0"),
        (["--out", "whole.keras", "--false-alarms", "0.1"], "--false-alarms needs --normal"),
        (["--out", "whole.keras", "--normal", "photos"], "is 23 × 23 × 1, but the model takes 28 × 28 × 1"),
        (["--out", "own.keras", "--model", "own.keras"], "would be written over what is read"),
    ],
)
def test_what_cannot_be_exported_is_named(
    photos: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(photos.parent)
    Path("own.keras").write_bytes(DEFAULT.read_bytes())
    with pytest.raises(UserError, match=message):
        line.run(["export", *arguments])
    assert not Path("whole.keras").exists()


def test_a_network_with_dense_layers_has_one_size(tmp_path: Path) -> None:
    dense = tmp_path / "dense.keras"
    files.write_model(dense, residual.build(residual.Settings(code_size=4, width=8), (28, 28, 1), 1).network)
    rest = ["--model", str(dense), "--out", str(tmp_path / "whole.keras")]
    line.run(["export", *rest])
    with pytest.raises(UserError, match="takes pictures of 28×28 alone: leave --size out"):
        line.run(["export", *rest, "--size", "33", "23"])


def test_onnx_names_the_extra_that_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx.handler", None)
    with pytest.raises(UserError, match=r"ONNX needs the package tf2onnx.*pip install '\.\[onnx\]'"):
        line.run(["export", "--out", str(tmp_path / "whole.onnx")])


def run(path: Path, pixels: Pixels) -> dict[str, Pixels]:
    from onnxruntime import InferenceSession

    session = InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"pixels": pixels.astype(np.float32)}), strict=True))


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize(("side", "spot"), [(28, None), (23, 1.5)])
def test_onnx_gives_what_keras_gives_however_many_pictures_come(
    tmp_path: Path, side: int, spot: float | None
) -> None:
    trained, raw = ResizableAutoencoder(DEFAULT), Raw((side, side), (0, 255), spot)
    model = export(trained, raw, 0.01, tmp_path / "whole.onnx")
    for count in (1, 64):
        pixels = shirts(count)[:, :side, :side]
        found, expected = run(tmp_path / "whole.onnx", pixels), model.predict(pixels, verbose=0)
        assert set(found) == set(expected)
        for name in ("reconstruction", "code", "error"):
            np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-4)
        np.testing.assert_array_equal(found["anomaly"], expected["score"] > 0.01)


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("spot", [None, 1.5])
def test_onnx_calls_pixels_that_are_no_numbers_an_anomaly_and_says_what_is_black_and_white(
    tmp_path: Path, spot: float | None
) -> None:
    from onnxruntime import InferenceSession

    path = tmp_path / "whole.onnx"
    export(ResizableAutoencoder(DEFAULT), Raw((28, 28), (0, 255), spot), 1000, path)
    np.testing.assert_array_equal(run(path, with_a_hole())["anomaly"], [True, False])
    facts = InferenceSession(path).get_modelmeta().custom_metadata_map
    assert facts == {"black": "0.0", "white": "255.0"}


@needs_onnx
def test_onnx_says_what_dense_layers_do_as_well(tmp_path: Path) -> None:
    dense = residual.build(residual.Settings(code_size=4, width=8), (28, 28, 1), 1)
    model = end_to_end.build(dense, (28, 28), (0, 255), None, None)
    (tmp_path / "whole.onnx").write_bytes(graph.written(model, {}))
    pixels = shirts(3)
    found, expected = run(tmp_path / "whole.onnx", pixels), model.predict(pixels, verbose=0)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-5, err_msg=name)


@needs_onnx
def test_what_onnx_cannot_say_is_refused() -> None:
    image = keras.Input((28, 28, 1), name="pixels")
    with pytest.raises(UserError, match=r"cannot be written as ONNX .*Erfinv"):
        graph.written(keras.Model(image, keras.ops.erfinv(image)), {})


@needs_onnx
@pytest.mark.slow
def test_onnx_has_the_same_bytes_whatever_was_made_before(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        export(ResizableAutoencoder(DEFAULT), Raw((28, 28), (0, 255)), None, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
