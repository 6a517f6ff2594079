"""The commands as their user types them."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from cae.cli import DEFAULT_MODEL
from cae.core import files
from cae.datasets.preprocessing import Preprocessing
from cae.datasets.resizing import resize
from cae.datasets.sources import open_source
from cae.datasets.tiles import Tiling
from cae.figures.error_maps import colour_error_map
from cae.metrics.scores import build_reconstruction_score
from cae.metrics.tiled_scores import (
    Reconstruction,
    ScoredImage,
    reconstruct_images,
    score_images,
    tile_samples,
)
from cae.networks.resizable import ResizableAutoencoder
from tests import ROOT
from tests.cli.conftest import Run

NAMES = ["-3 ä.png", "0.png", "1.png", "2.png", "more/4.png"]


def reconstruct(images: Path, preprocessing: Preprocessing) -> list[Reconstruction]:
    """Reconstruct images as the detect stage does."""
    network = ResizableAutoencoder(DEFAULT_MODEL)
    tiled = tile_samples(open_source(images), preprocessing)
    return list(reconstruct_images(tiled, preprocessing, network.reconstruct))


def score(images: Path, preprocessing: Preprocessing) -> list[ScoredImage]:
    """Score images by their reconstruction error, as the detect stage does."""
    compute_errors = build_reconstruction_score(
        ResizableAutoencoder(DEFAULT_MODEL).autoencoder
    ).compute_errors
    tiled = tile_samples(open_source(images), preprocessing)
    return list(score_images(tiled, preprocessing, compute_errors))


def test_the_default_network_is_that_of_the_last_run() -> None:
    outputs = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]["train"]["outs"]
    (md5,) = (out["md5"] for out in outputs if out["path"] == "models/autoencoder.keras")
    assert hashlib.md5(DEFAULT_MODEL.read_bytes()).hexdigest() == md5


def test_encode_writes_names_and_codes_with_the_same_bytes_every_time(run: Run, photos: Path) -> None:
    for out in ("a.npz", "b.npz"):
        assert run("encode", photos, "--out", out) == f"codes of 5 images in {out}\n"
    with np.load("a.npz", allow_pickle=False) as stored:
        assert stored["names"].tolist() == NAMES
        assert (stored["codes"].dtype, stored["codes"].shape) == (np.float32, (5, 128))
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()
    with zipfile.ZipFile("a.npz") as archive:
        assert {member.date_time for member in archive.infolist()} == {files.ZIP_EPOCH}


def test_encode_needs_images_of_one_size(run: Run, photos: Path) -> None:
    Image.new("L", (60, 60)).save(photos / "z.png")
    message = "error: the code of '-3 ä.png' has 128 numbers, but that of 'z.png' has 512"
    assert message in run("encode", photos, "--out", "codes.npz", code=1)
    assert not Path("codes.npz").exists()
    run("encode", photos, "--out", "codes.npz", "--resize")


def test_reconstruct_writes_images_of_the_same_size(run: Run, photos: Path) -> None:
    Image.new("L", (60, 40)).save(photos / "z.png")
    run("reconstruct", photos, "--out", "out")
    sizes = {name: Image.open(f"out/{name}.png").size for name in (*NAMES, "z.png")}
    assert sizes == dict.fromkeys(NAMES, (28, 28)) | {"z.png": (60, 40)}


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (["--resize"], {"size": (28, 28)}),
        (["--resize-to", "28", "36"], {"size": (28, 36)}),
        (["--tiles", "14"], {"tiling": Tiling(28, 14)}),
    ],
)
def test_images_are_preprocessed_as_the_options_say(
    run: Run, tmp_path: Path, options: list[str], changes: dict[str, Any]
) -> None:
    colours = np.random.default_rng(0).integers(0, 90, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    out = tmp_path / "out"
    run("reconstruct", tmp_path / "a.png", "--out", out, "--grey", "--window", "0", "90", *options)
    preprocessing = Preprocessing((0, 90), channels=1)._replace(**changes)
    (image,) = reconstruct(tmp_path / "a.png", preprocessing)
    expected = np.round(255 * resize(image.reconstruction, 60, 60)[..., 0])
    np.testing.assert_array_equal(np.asarray(Image.open(out / "a.png.png")), expected)


@pytest.mark.parametrize("smoothing", [None, 1.5])
def test_score_writes_scores_and_error_maps(run: Run, photos: Path, smoothing: float | None) -> None:
    options = [] if smoothing is None else ["--smoothing", smoothing]
    run("score", photos, "--out", "scores.csv", "--maps", "maps", *options)
    table = pd.read_csv("scores.csv")
    images = score(photos, Preprocessing())
    assert table.columns.tolist() == ["name", "score"]
    assert table["name"].tolist() == [image.name for image in images] == NAMES
    assert table["score"].tolist() == [image.compute_score(smoothing) for image in images]
    for image in images:
        pixels = np.asarray(Image.open(f"maps/{image.name}.png"))
        np.testing.assert_array_equal(pixels, colour_error_map(image.compute_error_map(smoothing)))


def test_normal_images_set_a_threshold(run: Run, photos: Path) -> None:
    for level in range(9):
        path = Path(f"normal/{level}.png")
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (28, 28), level).save(path)
    options = ["--normal", "normal", "--false-alarms", "0.1"]
    printed = run("score", photos, "--out", "scores.csv", *options)
    assert pd.read_csv("scores.csv")["anomaly"].tolist() == [1] * 5
    assert "from 9 images: expected false alarm rate 10.00%, with 95% confidence" in printed
    assert "above the threshold: 5\n" in printed


def test_the_score_that_is_the_threshold_is_not_above_it(run: Run, photos: Path) -> None:
    options = ["--normal", photos, "--false-alarms", "0.2", "--smoothing", "1.5"]
    run("score", photos, "--out", "scores.csv", *options)
    assert pd.read_csv("scores.csv")["anomaly"].tolist() == [0] * 5


@pytest.mark.parametrize("low", ["-1e3", "-1000", "-1.0E+3"])
def test_a_window_may_begin_below_0(run: Run, photos: Path, low: str) -> None:
    run("score", photos, "--out", "scores.csv", "--window", low, "400")
    expected = [image.compute_score() for image in score(photos, Preprocessing((-1000, 400)))]
    assert pd.read_csv("scores.csv")["score"].tolist() == expected


def test_info_describes_the_network_and_the_images(run: Run, photos: Path) -> None:
    printed = run("info", photos)
    assert "code       4 × 4 × 8 = 128 numbers\nparameters 12,785\n" in printed
    assert "images     28 × 28, uint8: 5\n" in printed


def test_a_bad_file_ends_a_command_or_is_skipped_and_listed(run: Run, photos: Path) -> None:
    (photos / "bad.png").write_bytes((photos / "0.png").read_bytes()[:50])
    assert "bad.png" in run("score", photos, "--out", "scores.csv", code=1)
    assert not Path("scores.csv").exists()
    assert "skipped: 'photos/bad.png'" in run("score", photos, "--out", "scores.csv", "--skip-bad")
    assert pd.read_csv("scores.csv")["name"].tolist() == NAMES


def test_a_name_that_is_not_utf_8_is_written_in_hexadecimal(run: Run, photos: Path) -> None:
    path = photos / "only/a\udcff.png"
    path.parent.mkdir()
    Image.new("L", (28, 28)).save(path, format="png")
    run("score", path.parent, "--out", "scores.csv")
    assert pd.read_csv("scores.csv")["name"].tolist() == ["a\\xff.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reconstruct", "photos", "--out", "photos/out"], "photos/out is in photos, which is read"),
        (["score", "photos", "--maps", "photos"], "photos is read, and would be overwritten"),
        (["score", "photos", "--out", "photos/0.png"], "photos/0.png is an image or a dataset"),
        (["encode", "photos/0.png", "--out", "photos/0.png"], "photos/0.png is read, and would be"),
        (["score", "photos", "--false-alarms", "0.1"], "--false-alarms needs --normal"),
        (["score", "photos", "--false-alarms", "2"], "must be between 0 and 1"),
        (["score", "photos", "--tiles", "0"], "tiles 1 to 28 pixels apart"),
        (["score", "photos", "--tiles", "14", "--resize"], "exclude each other"),
        (["score", "photos", "--smoothing", "0"], "must be above 0 and at most 1000"),
        (["score", "photos", "--window", "9", "1"], "the lower one first"),
        (["score", "photos", "--resize-to", "0", "9"], "both sides must be at least 1"),
        (["score", "colour.png"], "'colour.png' has 3 channels, but .* takes images with 1: add --grey"),
        (["encode", "nowhere"], "'nowhere' is neither a file nor a folder"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    run: Run, photos: Path, arguments: list[str], message: str
) -> None:
    Image.new("RGB", (28, 28)).save("colour.png")
    if "--out" not in arguments:
        arguments = [*arguments, "--out", "out"]
    printed = run(*arguments, code=1)
    assert printed.startswith("error: ")
    assert pd.Series([" ".join(printed.split())]).str.contains(message).all(), printed
    assert not Path("out").exists()


HELP = """
import sys
from cae.cli.app import app
try:
    app(["score", "--help"])
finally:
    assert not {"numpy", "tensorflow"} & set(sys.modules)
"""


def test_help_shows_an_example_and_does_not_load_tensorflow() -> None:
    command = [sys.executable, "-c", HELP]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "Example: cae score photos --out scores.csv" in done.stdout


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (BrokenPipeError(32, "gone"), 1)])
def test_a_command_that_is_stopped_ends_quietly(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def stop(*_: object) -> None:
        raise error

    monkeypatch.setattr("cae.cli.commands.ResizableAutoencoder", stop)
    assert run("info", code=code) == ""
