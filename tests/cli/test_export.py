"""An exported model gives the results of `cae score`."""

import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cae.cli import DEFAULT_MODEL
from cae.core import files
from cae.networks import residual
from tests.cli.conftest import Run


def draw_shirts(folder: Path) -> None:
    """Draw nine grey images of 23 × 23, such as the network knows."""
    rows, columns = np.mgrid[:23, :23]
    folder.mkdir()
    for index in range(9):
        width = 6 + index // 2
        body = (abs(columns - 11.5) < width - 2) & (rows > 3)
        arms = (abs(columns - 11.5) < width + 1) & (rows > 3) & (rows < 11)
        shades = 120 + 5 * rows + np.random.default_rng(index).integers(-20, 20, rows.shape)
        image = ((body | arms) * shades).clip(0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / f"{index}.png")


@pytest.fixture
def shirts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    draw_shirts(Path("shirts"))
    return Path("shirts")


def test_the_model_scores_and_decides_as_the_command(run: Run, shirts: Path) -> None:
    scoring = ["--smoothing", "1.5", "--normal", shirts, "--false-alarms", "0.35"]
    printed = run("export", "--out", "model.keras", "--size", 23, 23, *scoring)
    assert "threshold" in printed
    expected = "23 × 23 × 1 raw pixels to reconstruction, code, error, score, anomaly in model.keras"
    assert expected in printed
    run("score", shirts, "--out", "scores.csv", *scoring)
    table = pd.read_csv("scores.csv")
    pixels = np.stack([np.asarray(Image.open(shirts / name)) for name in table["name"]])[..., np.newaxis]
    outputs = keras.saving.load_model("model.keras").predict(pixels, verbose=0)
    np.testing.assert_allclose(outputs["score"], table["score"], rtol=0, atol=1e-6)
    # The score that is the threshold may fall on either side in its last bit.
    others = abs(table["score"] - table["score"].nlargest(3).iloc[-1]) > 1e-6
    np.testing.assert_array_equal(outputs["anomaly"][others], table["anomaly"][others])
    assert table["anomaly"].sum() == 2


def test_the_window_is_that_of_the_pixels(run: Run, shirts: Path) -> None:
    run("export", "--out", "hounsfield.keras", "--window", "-1000", "1000")
    run("export", "--out", "bytes.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1)).astype(np.float32)
    found, expected = (
        keras.saving.load_model(name).predict(values, verbose=0)["reconstruction"]
        for name, values in (("hounsfield.keras", pixels * (2000 / 255) - 1000), ("bytes.keras", pixels))
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "model.h5"], "model.h5 must end in .keras or .onnx"),
        (["--size", "0", "23"], "both sides must be at least 1"),
        (["--window", "9", "1"], "the lower one first"),
        (["--smoothing", "-1"], "must be above 0"),
        (["--false-alarms", "0.1"], "--false-alarms needs --normal"),
        (["--normal", "shirts"], "is 23 × 23 × 1, but the model takes 28 × 28 × 1"),
        (["--out", "own.keras", "--model", "own.keras"], "own.keras is read, and would be overwritten"),
        (["--model", "dense.keras", "--size", "33", "23"], "takes images of 28×28 only, not 36×28"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    run: Run, shirts: Path, arguments: list[str], message: str
) -> None:
    Path("own.keras").write_bytes(DEFAULT_MODEL.read_bytes())
    dense = residual.build(residual.Settings(code_size=4, width=8), (28, 28, 1), 1)
    files.write_model(Path("dense.keras"), dense.network)
    out = [] if "--out" in arguments else ["--out", "model.keras"]
    assert message in run("export", *out, *arguments, code=1)
    assert not list(Path().glob("model.*"))


def test_onnx_names_the_packages_that_it_needs(
    run: Run, shirts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx.handler", None)
    printed = run("export", "--out", "model.onnx", code=1)
    assert "ONNX needs the package tf2onnx" in printed
    assert "pip install '.[onnx]'" in printed
