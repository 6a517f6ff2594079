"""The stage detect scores as the command line and as the model that it writes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from cae.cli.app import app
from cae.core import files
from cae.core.config import Section
from cae.datasets import prepared
from cae.networks import convolutional
from stages import runner
from stages.baselines import Settings as BaselineSettings
from stages.baselines import baselines
from stages.detect import Settings, detect, print_result
from stages.prepare import Settings as PrepareSettings
from stages.prepare import prepare
from stages.runner.project import Project

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "split": {"train": 0.4, "validation": 0.2, "test": 0.2, "threshold": 0.2},
    "data": {"source": "images"},
    "baselines": {},
    "probes": {"labels_per_class": [], "seeds": [1], "regularisation": [1.0], "neighbours": 1},
    "anomaly": {"false_alarms": 0.5},
}
Run = Callable[..., Path]
Pixels = npt.NDArray[np.uint8]


def draw(shape: tuple[int, ...], seed: int) -> Pixels:
    """Draw a slope and a square."""
    generator = np.random.default_rng(seed)
    rows, columns = np.indices(shape[:2])
    image = rows * generator.uniform(1, 3) + columns * generator.uniform(0, 2)
    top, left = generator.integers(0, shape[0] // 2), generator.integers(0, shape[1] // 2)
    image[top : top + 6, left : left + 6] += 90
    return np.clip(image, 0, 255).astype(np.uint8)


def write(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def build_network(shape: tuple[int, ...], grey: float | None) -> keras.Model:
    """Build an untrained network or, with `grey`, one that reconstructs every image as that grey value."""
    network = convolutional.build(convolutional.Settings(filters=(4, 3, 2)), shape, 1).network
    if grey is not None:
        *weights, bias = network.get_weights()
        constants = [np.zeros_like(weight) for weight in weights]
        network.set_weights([*constants, np.full_like(bias, np.log(grey / (1 - grey)))])
    return network


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty images of 23 × 23."""
    for index in range(20):
        write(tmp_path / f"images/{index}.png", draw((23, 23), index))
    return tmp_path / "images"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Prepare the images of a project, and detect anomalies with a network that no training made."""

    def run_stages(grey: float | None = None, **changes: Mapping[str, Any]) -> Path:
        values = {name: {**section, **changes.get(name, {})} for name, section in DEFAULTS.items()}
        project = Project(tmp_path)

        def call(stage: Callable[..., Any], settings: type[Section]) -> None:
            known = {name: values[name] for name in settings.model_fields}
            for path, content in stage(project, settings.model_validate(known)).items():
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                runner.write_result(tmp_path / path, content)

        call(prepare, PrepareSettings)
        call(baselines, BaselineSettings)
        shape = prepared.read_images(tmp_path / "data/prepared", "train").shape[1:]
        (tmp_path / "models").mkdir(exist_ok=True)
        files.write_model(tmp_path / "models/autoencoder.keras", build_network(shape, grey))
        call(detect, Settings)
        return tmp_path

    return run_stages


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
    run: Run, photos: Path, changes: dict[str, Any], options: list[str]
) -> None:
    project = run(**changes)
    expected = pd.read_csv(project / "data/scores.csv", index_col="name")["autoencoder"]
    out, maps = project / "by_command.csv", project / "maps"
    arguments = ["score", str(photos), "--out", str(out), "--maps", str(maps)]
    network = ["--model", str(project / "models/autoencoder.keras")]
    result = CliRunner().invoke(app, [*arguments, *network, *options])
    assert result.exit_code == 0, result.output
    scores = pd.read_csv(out, index_col="name")["score"]
    assert scores[expected.index].tolist() == expected.tolist()
    for name in expected.index:
        written = (project / f"data/maps/{name}.png").read_bytes()
        assert written == (maps / f"{name}.png").read_bytes()


def test_the_model_decides_as_the_stage(run: Run, photos: Path) -> None:
    project = run()
    table = pd.read_csv(project / "data/scores.csv", index_col="name")
    pixels = np.stack([np.asarray(Image.open(photos / name)) for name in table.index])[..., np.newaxis]
    outputs = keras.saving.load_model(project / "models/detector.keras").predict(pixels, verbose=0)
    np.testing.assert_allclose(outputs["score"], table["autoencoder"], rtol=1e-4)
    np.testing.assert_array_equal(outputs["anomaly"], table["anomaly"] == 1)


def test_the_model_of_tiles_decides_nothing(run: Run, photos: Path) -> None:
    project = run(data={"tiles": {"size": 12, "stride": 6}})
    model = keras.saving.load_model(project / "models/detector.keras")
    assert model.input_shape == (None, 12, 12, 1)
    assert "anomaly" not in model.output


def test_nothing_that_decides_depends_on_the_test_images(run: Run, photos: Path) -> None:
    project = run()
    detector, scores = project / "models/detector.keras", project / "data/scores.csv"
    before = detector.read_bytes(), scores.read_bytes()
    for sample in prepared.read_samples(project / "data/prepared"):
        if sample.split == "test":
            write(photos / sample.name, 255 - draw((23, 23), 999))
    run()
    assert detector.read_bytes() == before[0]
    assert scores.read_bytes() != before[1]


def test_without_held_out_images_there_is_no_threshold(run: Run, photos: Path) -> None:
    project = run(split={"train": 0.6, "threshold": 0.0})
    assert "threshold" not in pd.read_csv(project / "tables/detection.csv")
    assert "anomaly" not in pd.read_csv(project / "data/scores.csv")


@pytest.mark.parametrize("size", [None, [20, 20]])
def test_error_maps_and_masks_are_those_of_their_images(
    run: Run, tmp_path: Path, size: list[int] | None
) -> None:
    root, shape = tmp_path / "images", (28, 28)
    for index in range(12):
        write(root / f"train/good/{index}.png", draw(shape, index) // 2)
    for index in range(4):
        write(root / f"test/good/{index}.png", draw(shape, 100 + index) // 2)
        defective, mask = draw(shape, 200 + index) // 2, np.zeros(shape, np.uint8)
        square = slice(4 * index, 4 * index + 4), slice(20 - 4 * index, 24 - 4 * index)
        defective[square], mask[square] = 255, 255
        write(root / f"test/square/{index}.png", defective)
        write(root / f"ground_truth/square/{index}_mask.png", mask)
    project = run(grey=0.25, data={"size": size})
    table = pd.read_csv(project / "tables/detection.csv", index_col="method")
    assert (table["pixel_auroc"] > 0.9).all()
    for index in range(4):
        lightness = np.asarray(Image.open(project / f"data/maps/test/square/{index}.png.png").convert("L"))
        mask = np.asarray(Image.open(root / f"ground_truth/square/{index}_mask.png"))
        assert mask.ravel()[lightness.argmax()]


@pytest.mark.parametrize(("auroc", "noted"), [(0.39, True), (0.5, False)])
def test_scores_that_are_worse_than_chance_are_noted(
    capsys: pytest.CaptureFixture[str], auroc: float, noted: bool
) -> None:
    print_result({"auroc": auroc}, [])
    assert ("anomalous images have lower scores" in capsys.readouterr().err) is noted
