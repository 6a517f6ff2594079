"""The stage detect scores as the command line and as the model that it writes; the test decides nothing."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from cae.cli.app import app
from cae.datasets import prepared
from cae.figures import anomalies
from cae.figures.anomalies import Example
from stages import baselines, detect, prepare, train
from tests.stages.conftest import draw, run, save, save_images, write_trained

LARGE_TEST = {"train": 0.2, "validation": 0.1, "threshold": 0.1, "test": 0.6}
CONVOLUTIONAL: Mapping[str, Any] = {"name": "convolutional", "convolutional": {"filters": [4, 3, 2]}}
RESULTS = ("data", "metrics", "models", "plots", "tables")
ODD_NAMES = ("-dash.png", "with space.png", "new\nline.png", "ä 図.png", os.fsdecode(b"no\xffutf8.png"))


def run_all(folder: Path, grey: float | None = None, **changes: Mapping[str, Any]) -> Path:
    """Prepare the images of a project, and detect anomalies with a network that no training made."""
    run(prepare.prepare, folder, **changes)
    run(baselines.baselines, folder, **changes)
    write_trained(folder, grey)
    run(detect.detect, folder, **changes)
    return folder


def read_scores(project: Path) -> pd.DataFrame:
    return pd.read_csv(project / "data/scores.csv", index_col="name")


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, []),
        ({"anomaly": {"smoothing": 1.5, "false_alarms": 0.5}}, ["--smoothing", "1.5"]),
        ({"data": {"window": [20, 200]}}, ["--window", "20", "200"]),
        ({"data": {"tiles": {"size": 12, "stride": 5}}}, ["--tiles", "5"]),
        ({"data": {"size": [28, 20]}}, ["--resize"]),
        ({"data": {"size": [30, 21]}}, ["--resize-to", "30", "21"]),
    ],
    ids=["whole", "smoothing", "window", "tiles", "resized", "resized and padded"],
)
def test_the_command_gives_the_scores_and_maps_of_the_stage(
    tmp_path: Path, images: Path, changes: dict[str, Any], options: list[str]
) -> None:
    project = run_all(tmp_path, **changes)
    expected = read_scores(project)["reconstruction"]
    out, maps = project / "by_command.csv", project / "maps"
    arguments = ["score", str(images), "--out", str(out), "--maps", str(maps)]
    network = ["--model", str(project / "models/autoencoder.keras")]
    result = CliRunner().invoke(app, [*arguments, *network, *options])
    assert result.exit_code == 0, result.output
    scores = pd.read_csv(out, index_col="name")["score"]
    assert scores[expected.index].tolist() == expected.tolist()
    for name in expected.index:
        written = (project / f"data/maps/{name}.png").read_bytes()
        assert written == (maps / f"{name}.png").read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"anomaly": {"score": "local", "smoothing": 1.5, "false_alarms": 0.5}},
        {"anomaly": {"score": "sum", "false_alarms": 0.5}},
        {"data": {"window": [20, 200], "tiles": {"size": 12, "stride": 5}}},
        {"data": {"size": [30, 21]}, "anomaly": {"score": "nearest", "neighbours": 2, "false_alarms": 0.5}},
    ],
    ids=["local", "sum", "tiles", "resized"],
)
def test_the_command_needs_nothing_but_the_detector(
    tmp_path: Path, images: Path, changes: dict[str, Any]
) -> None:
    project = run_all(tmp_path, model=CONVOLUTIONAL, **changes)
    expected = read_scores(project)
    out, maps = project / "by_command.csv", project / "maps"
    arguments = ["score", str(images), "--out", str(out), "--maps", str(maps)]
    result = CliRunner().invoke(app, [*arguments, "--model", str(project / "models/detector.keras")])
    assert result.exit_code == 0, result.output
    found = pd.read_csv(out, index_col="name").loc[expected.index]
    score = changes.get("anomaly", {}).get("score", "reconstruction")
    # Images are computed in other blocks, in which sums have another order.
    np.testing.assert_allclose(found["score"], expected[score], rtol=1e-5)
    assert found["anomaly"].tolist() == expected["anomaly"].tolist()
    for name in expected.index:
        written = (project / f"data/maps/{name}.png", maps / f"{name}.png")
        before, after = (np.asarray(Image.open(path)).astype(int) for path in written)
        assert np.abs(before - after).max() <= 1


def test_options_that_a_detector_knows_are_refused(project: Path) -> None:
    arguments = ["score", str(project / "images"), "--out", str(project / "by_command.csv")]
    options = ["--model", str(project / "models/detector.keras"), "--smoothing", "2", "--resize"]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert result.exit_code == 1
    assert "is a detector, which knows its score" in result.output
    assert "leave out --resize, --smoothing" in result.output


def test_an_image_of_another_size_than_the_detectors_is_refused(project: Path, tmp_path: Path) -> None:
    save(tmp_path / "large.png", draw((40, 30), 1))
    arguments = ["score", str(tmp_path / "large.png"), "--out", str(tmp_path / "scores.csv")]
    result = CliRunner().invoke(app, [*arguments, "--model", str(project / "models/detector.keras")])
    assert result.exit_code == 1
    assert "'large.png' is 44×36 after preprocessing, but" in result.output


@pytest.mark.slow
def test_a_detector_is_exported_to_onnx_with_the_same_scores(tmp_path: Path, images: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    project = run_all(
        tmp_path, model=CONVOLUTIONAL, anomaly={"score": "local", "smoothing": 2.0, "false_alarms": 0.5}
    )
    out = project / "detector.onnx"
    arguments = ["export", "--model", str(project / "models/detector.keras"), "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    expected = read_scores(project)["local"]
    pixels = np.stack([np.asarray(Image.open(images / name), np.float32) for name in expected.index])
    session = onnxruntime.InferenceSession(out.read_bytes())
    (scores,) = session.run(["score"], {"pixels": pixels[..., np.newaxis]})
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of images, some with odd names, that were scored."""
    folder = tmp_path_factory.mktemp("project")
    save_images(folder / "images", 20)
    for index, name in enumerate(ODD_NAMES):
        save(folder / "images" / name, draw((23, 23), 50 + index))
    return run_all(folder, split=LARGE_TEST)


def find_test_images(project: Path) -> list[str]:
    return [sample.name for sample in prepared.read_split(project / "data/prepared", "test").samples]


def test_every_test_image_has_a_score_and_a_map_whatever_its_name(project: Path) -> None:
    names = find_test_images(project)
    assert set(names) & set(ODD_NAMES)
    assert len(read_scores(project)) == len(list((project / "data/maps").glob("*.png"))) == len(names)


def test_the_model_decides_as_the_stage(project: Path) -> None:
    table = read_scores(project)
    pixels = np.stack([np.asarray(Image.open(project / "images" / one)) for one in find_test_images(project)])
    model = keras.saving.load_model(project / "models/detector.keras")
    outputs = model.predict(pixels[..., np.newaxis], verbose=0)
    np.testing.assert_allclose(outputs["score"], table["reconstruction"], rtol=1e-4)
    np.testing.assert_array_equal(outputs["anomaly"], table["anomaly"] == 1)


def test_the_model_of_tiles_decides_nothing(project: Path, tmp_path: Path) -> None:
    folder = run_all(shutil.copytree(project, tmp_path / "tiles"), data={"tiles": {"size": 12, "stride": 6}})
    model = keras.saving.load_model(folder / "models/detector.keras")
    assert model.input_shape == (None, 12, 12, 1)
    assert "anomaly" not in model.output


def test_nothing_that_is_trained_fitted_or_decided_depends_on_the_test_images(tmp_path: Path) -> None:
    def run_and_read() -> dict[str, bytes]:
        for stage in (prepare.prepare, baselines.baselines, train.train, detect.detect):
            run(stage, tmp_path)
        results = [path for name in RESULTS for path in (tmp_path / name).rglob("*") if path.is_file()]
        return {str(path.relative_to(tmp_path)): path.read_bytes() for path in results}

    save_images(tmp_path / "images", 20)
    clean = run_and_read()
    for sample in prepared.read_samples(tmp_path / "data/prepared"):
        if sample.split == "test":
            save(tmp_path / "images" / sample.name, 255 - draw((23, 23), 999))
    poisoned = run_and_read()
    of_test = {"data/baselines/floors.csv", "data/prepared/test_images.npy"}
    decided = ("data/baselines/", "data/prepared/", "metrics/train", "models/", "plots/history")
    for path in clean:
        if path.startswith(decided) and path not in of_test:
            assert poisoned[path] == clean[path], path
    for path in (*of_test, "data/scores.csv"):
        assert poisoned[path] != clean[path]


def test_a_rerun_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    folder = run_all(shutil.copytree(project, tmp_path / "again"), split=LARGE_TEST)
    for path in project.rglob("*"):
        if path.is_file():
            assert (folder / path.relative_to(project)).read_bytes() == path.read_bytes(), path


def test_without_held_out_images_there_is_no_threshold(tmp_path: Path, images: Path) -> None:
    run_all(tmp_path, split={"train": 0.6, "threshold": 0.0})
    assert "threshold" not in pd.read_csv(tmp_path / "tables/detection.csv")
    assert "anomaly" not in read_scores(tmp_path)


@pytest.mark.parametrize("size", [None, [20, 20]])
def test_error_maps_and_masks_are_those_of_their_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: list[int] | None
) -> None:
    root, shape = tmp_path / "images", (28, 28)
    for index in range(12):
        save(root / f"train/good/{index}.png", draw(shape, index) // 2)
    for index in range(4):
        save(root / f"test/good/{index}.png", draw(shape, 100 + index) // 2)
        defective, mask = draw(shape, 200 + index) // 2, np.zeros(shape, np.uint8)
        square = slice(4 * index, 4 * index + 4), slice(20 - 4 * index, 24 - 4 * index)
        defective[square], mask[square] = 255, 255
        save(root / f"test/square/{index}.png", defective)
        save(root / f"ground_truth/square/{index}_mask.png", mask)
    examples: list[Example] = []
    monkeypatch.setattr(anomalies, "plot_error_maps", examples.extend)
    project = run_all(tmp_path, grey=0.25, data={"size": size})
    table = pd.read_csv(project / "tables/detection.csv", index_col="method")
    located = table.drop(["nearest", "mahalanobis", "sum", "local"])["pixel_auroc"]
    assert (located > 0.9).all()
    for index in range(4):
        lightness = np.asarray(Image.open(project / f"data/maps/test/square/{index}.png.png").convert("L"))
        mask = np.asarray(Image.open(root / f"ground_truth/square/{index}_mask.png"))
        assert mask.ravel()[lightness.argmax()]
    for example in examples:
        assert example.image.shape[:2] == example.errors.shape == shape
        assert example.mask is not None
        assert example.mask.any() == (example.title == "square")


@pytest.mark.parametrize(("auroc", "noted"), [(0.39, True), (0.5, False)])
def test_scores_that_are_worse_than_chance_are_noted(
    capsys: pytest.CaptureFixture[str], auroc: float, noted: bool
) -> None:
    detect.print_result({"auroc": auroc}, [])
    assert ("anomalous images have lower scores" in capsys.readouterr().err) is noted
