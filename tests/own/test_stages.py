"""What the stages of own pictures promise beyond running."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from own import detect, pictures, settings
from own.pictures import Example
from own.train import MOST_NUMBERS, check_memory, check_weights
from PIL import Image

from cae.cli import line
from cae.core.errors import UserError
from cae.datasets import masks, prepared
from checks.fuzz import make_dicom, make_nifti
from tests.own.conftest import Recipe, drawn, write

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty pictures of 23 × 23."""
    for index in range(20):
        write(tmp_path / "images" / f"{index}.png", drawn((23, 23), index))
    return tmp_path / "images"


def scored_by_command(project: Path, *options: str) -> pd.Series:
    """Score all pictures by the command, with the project's network."""
    out, model = project / "by_command.csv", project / "models/autoencoder.keras"
    line.run(["score", str(project / "images"), "--out", str(out), "--model", str(model), *options])
    return pd.read_csv(out, index_col="name")["score"]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, []),
        ({"anomaly": {"spot": 1.5}}, ["--spot", "1.5"]),
        ({"data": {"window": [20, 200]}}, ["--window", "20", "200"]),
        ({"data": {"tiles": {"size": 12, "stride": 5}}}, ["--tiles", "5"]),
        ({"data": {"size": [28, 20]}}, ["--resize"]),
        ({"data": {"size": [30, 21]}}, ["--resize-to", "30", "21"]),
    ],
    ids=["whole", "spot", "window", "tiles", "resized", "resized and mirrored"],
)
def test_the_command_gives_the_scores_of_the_pipeline(
    run: Recipe, photos: Path, changes: dict[str, object], options: list[str]
) -> None:
    project = run("prepare", "train", "detect", **changes)
    by_pipeline = pd.read_csv(project / "data/scores.csv", index_col="name")["autoencoder"]
    by_command = scored_by_command(project, *options)[by_pipeline.index]
    np.testing.assert_allclose(by_command, by_pipeline, rtol=1e-5)


def test_one_model_file_decides_as_the_pipeline_does(run: Recipe, photos: Path) -> None:
    project = run("prepare", "train", "detect")
    table = pd.read_csv(project / "data/scores.csv", index_col="name")
    raw = np.stack([np.asarray(Image.open(photos / name)) for name in table.index])[..., np.newaxis]
    answer = keras.saving.load_model(project / "models/detector.keras").predict(raw, verbose=0)
    np.testing.assert_allclose(answer["score"], table["autoencoder"], rtol=1e-4)
    np.testing.assert_array_equal(answer["anomaly"], table["anomaly"] == 1)


def test_nothing_that_is_trained_or_decided_by_depends_on_the_test_side(run: Recipe, photos: Path) -> None:
    project = run("prepare", "train", "detect")
    kept = [project / "models/autoencoder.keras", project / "models/detector.keras"]
    before = [path.read_bytes() for path in kept]
    for picture in prepared.pictures(project / "data/prepared"):
        if picture.side == "test":
            write(photos / picture.name, 255 - drawn((23, 23), 999))
    scores = project / "data/scores.csv"
    scored = scores.read_bytes()
    run("prepare", "train", "detect")
    assert [path.read_bytes() for path in kept] == before
    assert scores.read_bytes() != scored


def test_a_rerun_gives_the_same_bytes(run: Recipe, photos: Path) -> None:
    project = run()
    made = [path for path in sorted(project.rglob("*")) if path.is_file() and path.parent != photos]
    before = {path: path.read_bytes() for path in made}
    run()
    assert {path: path.read_bytes() for path in made} == before


def test_a_class_that_is_not_normal_is_for_the_test_alone(run: Recipe, tmp_path: Path) -> None:
    for index in range(24):
        write(tmp_path / "images" / ("odd" if index % 3 else "even") / f"{index}.png", drawn((28, 28), index))
    project = run("prepare", data={"normal": "odd"})
    sides = {(picture.label, picture.side) for picture in prepared.pictures(project / "data/prepared")}
    assert {side for label, side in sides if label == "even"} == {"test"}
    assert {side for label, side in sides if label == "odd"} == {"train", "validation", "threshold", "test"}


@pytest.mark.parametrize("name", [1, 1.5, False])
def test_a_class_whose_name_yaml_takes_for_something_else_wants_quotes(
    run: Recipe, tmp_path: Path, name: object
) -> None:
    with pytest.raises(UserError, match=f"data.normal: YAML reads {name}, no text: .* in quotes"):
        run("prepare", data={"normal": name})


def test_pictures_that_are_too_small_to_be_measured_are_named_before_training(
    run: Recipe, tmp_path: Path
) -> None:
    for index in range(20):
        write(tmp_path / "images" / f"{index}.png", drawn((8, 9), index))
    with pytest.raises(UserError, match=r"pictures are 8×9, but .* looks at 11×11 pixels: ask for a larger"):
        run("prepare")


def test_a_picture_astray_in_a_folder_like_mvtec_ads_is_named(run: Recipe, tmp_path: Path) -> None:
    for folder in ("train/good", "test/good", "test"):
        write(tmp_path / "images" / folder / "0.png", drawn((28, 28), 9))
    with pytest.raises(UserError, match=r"test/0\.png' is not in a folder SPLIT/CLASS"):
        run("prepare")


def test_masks_that_change_while_they_are_read_are_named(
    run: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_squares(tmp_path / "images", (28, 28))
    run("prepare", "train")
    original = masks.read_masks

    def edited(source: Path, listed: Any) -> Any:
        yield from original(source, listed)
        write(source / "ground_truth/square/0_mask.png", np.zeros((28, 28), np.uint8))

    monkeypatch.setattr(detect, "read_masks", edited)
    with pytest.raises(UserError, match="changed while it was read"):
        run("detect")


def of_squares(root: Path, shape: tuple[int, int]) -> None:
    """Draw pictures as MVTec AD's: each anomaly has one bright square, elsewhere in each, and its mask."""
    for index in range(12):
        write(root / "train/good" / f"{index}.png", drawn(shape, index) // 2)
    for index in range(6):
        write(root / "test/good" / f"{index}.png", drawn(shape, 100 + index) // 2)
        spoilt, mask = drawn(shape, 200 + index) // 2, np.zeros(shape, np.uint8)
        top, left = (shape[0] * place // 8 for place in (1 + index, 6 - index))
        square = slice(top, top + shape[0] // 7), slice(left, left + shape[1] // 7)
        spoilt[square], mask[square] = 255, 255
        write(root / "test/square" / f"{index}.png", spoilt)
        write(root / "ground_truth/square" / f"{index}_mask.png", mask)


@pytest.mark.parametrize("size", [None, [28, 28]])
def test_maps_and_masks_are_those_of_their_pictures(
    run: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: list[int] | None
) -> None:
    of_squares(tmp_path / "images", (56, 56))
    examples: list[Example] = []
    detections = pictures.detections

    def kept(shown: Sequence[Example]) -> Figure:
        examples.extend(shown)
        return detections(shown)

    monkeypatch.setattr(pictures, "detections", kept)
    project = run("prepare", "train", "detect", data={"size": size}, train={"epochs": 100, "patience": 100})
    table = pd.read_csv(project / "tables/detection.csv", index_col="method")
    assert (table["pixel_auroc"] > 0.9).all()
    for index in range(6):
        lightness = np.asarray(Image.open(project / f"data/maps/test/square/{index}.png.png").convert("L"))
        mask = np.asarray(Image.open(tmp_path / f"images/ground_truth/square/{index}_mask.png"))
        assert mask.ravel()[lightness.argmax()]
    for example in examples:
        assert example.image.shape[:2] == example.errors.shape == (56, 56)
    assert [example.mask is not None and example.mask.any() for example in examples] == [False, True]


@pytest.mark.parametrize("shape", [(23, 23), (23, 23, 3)])
def test_the_error_that_is_measured_is_the_mean_score_of_normal_test_pictures(
    run: Recipe, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    for index in range(24):
        write(tmp_path / "images" / ("odd" if index % 3 else "even") / f"{index}.png", drawn(shape, index))
    project = run("prepare", "train", "evaluate", "detect", data={"normal": "odd"})
    scores = pd.read_csv(project / "data/scores.csv").groupby("class")["autoencoder"].mean()
    measured = json.loads((project / "metrics/evaluate.json").read_text())
    assert measured["mse"] == pytest.approx(scores["odd"], rel=1e-5)


def test_pictures_that_are_nearly_black_are_told_of(
    run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(20):
        write(tmp_path / "images" / f"{index}.png", drawn((23, 23), index).astype(np.uint16))
    run("prepare")
    assert "note: no pixel to train on is brighter than 0.00" in capsys.readouterr().err
    run("prepare", data={"window": [0, 255]})
    assert "note" not in capsys.readouterr().err


def test_training_may_begin_with_a_saved_network(
    run: Recipe, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = run("prepare", "train", train={"epochs": 3})
    first = losses(capsys)
    saved = project / "start.keras"
    saved.write_bytes((project / "models/autoencoder.keras").read_bytes())
    declare(project, "start.keras")
    run("train", train={"start_from": "start.keras"})
    assert losses(capsys)[0] < first[0]


def losses(capsys: pytest.CaptureFixture[str]) -> list[float]:
    """Read the loss of every epoch off what training printed."""
    return [float(loss) for loss in re.findall(r"loss ([\d.]+),", capsys.readouterr().err)]


def declare(project: Path, path: str) -> None:
    """Name one more dependency of training in the project's dvc.yaml."""
    text = (project / "dvc.yaml").read_text()
    before = "    - data/prepared/train_images.npy\n"
    (project / "dvc.yaml").write_text(text.replace(before, f"{before}    - {path}\n", 1))


def test_a_network_to_begin_with_must_be_declared(run: Recipe, photos: Path) -> None:
    with pytest.raises(UserError, match=r"does not name: add `- start\.keras` to its deps"):
        run("prepare", "train", train={"start_from": "start.keras"})


def test_weights_of_another_network_are_named(run: Recipe, photos: Path) -> None:
    project = run("prepare", "train")
    (project / "start.keras").write_bytes((project / "models/autoencoder.keras").read_bytes())
    declare(project, "start.keras")
    with pytest.raises(UserError, match="weights of the shapes"):
        run("train", model={"residual": {"width": 16}}, train={"start_from": "start.keras"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"source": "nowhere"}}, "neither a file nor a folder"),
        ({"data": {"normal": "odd"}}, "data.normal is 'odd', but the pictures of .* are of no class"),
        ({"data": {"tiles": {"size": 16, "stride": 8}}}, "size 16 must be 4 more than a multiple of 8"),
        ({"data": {"tiles": {"size": 12, "stride": 20}}}, "a stride of 20 leaves gaps"),
        ({"data": {"window": [200, 20]}}, "the lower one first"),
        ({"split": {"test": 0.5}}, "all together 1"),
        ({"anomaly": {"false_alarms": 0}}, "anomaly.false_alarms is 0"),
        ({"data": {"channels": 2}}, "data.channels is 2"),
        ({"data": {"sise": [28, 28]}}, "data.sise is not a known key"),
    ],
)
def test_a_wrong_value_is_named_before_anything_is_written(
    run: Recipe, photos: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run("prepare", **changes)
    assert not (photos.parent / "data").exists()


def test_too_few_pictures_for_the_rate_are_named_before_training(run: Recipe, photos: Path) -> None:
    with pytest.raises(UserError, match=r"4 normal pictures; for .* at least 99 are needed"):
        run("prepare", anomaly={"false_alarms": 0.01})


def volume(seed: int) -> bytes:
    """Draw a NIfTI volume of ten slices of 28 × 28."""
    return make_nifti(np.stack([drawn((28, 28), 100 * seed + index) for index in range(10)], axis=-1))


@pytest.mark.parametrize("ending", ["nii", "dcm"])
@pytest.mark.parametrize("label", ["", "a/"], ids=["parts", "parts with classes"])
def test_parts_that_the_user_made_are_kept_in_every_format(
    run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str, label: str
) -> None:
    counts = {"train": 6, "val": 2, "threshold": 2, "test": 3}
    for part, count in counts.items():
        for index in range(count):
            path = tmp_path / f"images/{part}/{label}{part}{index}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            frames = np.stack([drawn((28, 28), index), drawn((28, 28), 50 + index)])
            patient = f"{part}{index}"
            path.write_bytes(volume(index) if ending == "nii" else make_dicom(frames, PatientID=patient))
    project = run("prepare", data={"window": [0, 255]})
    listed = prepared.pictures(project / "data/prepared")
    parts = {"val": "validation"}
    assert {(one.name.split("/")[0], one.side) for one in listed} == {
        (part, parts.get(part, part)) for part in counts
    }
    assert "split: as your folders say\n" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["val", "threshold"])
def test_a_part_of_anomalies_alone_is_drawn_anew(
    run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    for folder, count in (("train/ok", 20), ("test/ok", 3), (f"{part}/bad", 4)):
        for index in range(count):
            write(tmp_path / "images" / folder / f"{index}.png", drawn((23, 23), index))
    project = run("prepare", data={"normal": "ok"})
    sides = {one.side for one in prepared.pictures(project / "data/prepared") if one.normal}
    assert sides == {"train", "validation", "threshold", "test"}
    assert (
        "split: test as your folders say; train, validation, threshold drawn with split.seed 1; anomalies "
        "that lie elsewhere are in the test, too\n"
    ) in capsys.readouterr().out


@pytest.mark.parametrize("name", ["residual", "variational"])
def test_matrices_that_would_take_many_gigabytes_are_refused(name: str) -> None:
    model = settings.load(Path("own")).model.model_copy(update={"name": name})
    check_weights(model, 100 * 100)
    with pytest.raises(UserError, match=f"too many for the matrices of model.{name} with a width of"):
        check_weights(model, 700 * 700)


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("",), "split: drawn with split.seed 1\n"),
        (
            ("train", "test"),
            "split: test as your folders say; train, validation, threshold drawn with split.seed 1\n",
        ),
    ],
)
def test_it_is_said_where_a_split_comes_from(
    run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], folders: tuple[str, ...], said: str
) -> None:
    for folder in folders:
        for index in range(20):
            write(tmp_path / "images" / folder / f"{index}.png", drawn((23, 23), index))
    run("prepare")
    assert said in capsys.readouterr().out


def test_a_test_of_anomalies_alone_is_kept_and_what_it_cannot_measure_is_said(
    run: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(20):
        write(tmp_path / "images/train/good" / f"{index}.png", drawn((23, 23), index))
    for index in range(5):
        write(tmp_path / "images/test/broken" / f"{index}.png", 255 - drawn((23, 23), index))
    project = run()
    test = [one for one in prepared.pictures(project / "data/prepared") if one.side == "test"]
    assert {one.name.rpartition("/")[0] for one in test} == {"test/broken"}
    printed = capsys.readouterr()
    assert "note: no normal picture is in the test" in printed.err
    assert "no test picture is normal" in printed.out
    assert json.loads((project / "metrics/evaluate.json").read_text()) == {}
    assert set(json.loads((project / "metrics/detect.json").read_text())) == {"caught"}


def test_masks_of_volumes_are_those_of_their_slices(run: Recipe, tmp_path: Path) -> None:
    places = {"train/good": range(8), "test/good": range(8, 10), "test/spot": range(10, 12)}
    for folder, seeds in places.items():
        for seed in seeds:
            path = tmp_path / f"images/{folder}/{seed}.nii"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(volume(seed))
    masks_of = tmp_path / "images/ground_truth/spot"
    masks_of.mkdir(parents=True)
    for seed in places["test/spot"]:
        defect = np.zeros((28, 28, 10), np.uint8)
        defect[3, 5, 7] = 1
        (masks_of / f"{seed}_mask.nii").write_bytes(make_nifti(defect))
    project = run("prepare", data={"window": [0, 255]})
    listed = [one for one in prepared.pictures(project / "data/prepared") if one.label == "spot"]
    found = list(masks.read_masks(tmp_path / "images", listed))
    marked = [np.argwhere(mask).tolist() for mask in found if mask is not None]
    assert marked == 2 * (7 * [[]] + [[[5, 3]]] + 2 * [[]])
    (masks_of / "10_mask.nii").write_bytes(make_nifti(np.zeros((28, 28, 9), np.uint8)))
    with pytest.raises(UserError, match=r"10_mask\.nii' holds fewer masks than its file has images"):
        run("prepare", data={"window": [0, 255]})


def test_slices_of_one_scanner_may_have_types_of_their_own(run: Recipe, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for index in range(20):
        pixels = drawn((23, 23), index).astype(np.uint16)
        slope = "0.5" if index % 2 else "1"
        content = make_dicom(pixels, RescaleSlope=slope, PatientID=str(index))
        (tmp_path / f"images/{index}.dcm").write_bytes(content)
    project = run("prepare", data={"window": [0, 255]})
    assert len(prepared.pictures(project / "data/prepared")) == 20
    with pytest.raises(
        UserError, match=r"has the data type uint16 and '1\.dcm' has float32, .* set a window"
    ):
        run("prepare")


@pytest.mark.parametrize(("auroc", "told"), [(0.0, True), (0.39, True), (0.5, False), (0.9, False)])
def test_scores_that_point_the_other_way_are_told_of(
    capsys: pytest.CaptureFixture[str], auroc: float, told: bool
) -> None:
    detect.tell({"auroc": auroc}, prepared.Prepared(np.zeros((0, 1, 1, 1), np.float32), []))
    said = "anomalies score lower than normal pictures" in capsys.readouterr().err
    assert said is told


def test_a_mask_of_another_size_is_named_before_training(run: Recipe, tmp_path: Path) -> None:
    for index in range(8):
        write(tmp_path / "images/train/good" / f"{index}.png", drawn((28, 28), index))
    for folder in ("good", "spot"):
        write(tmp_path / "images/test" / folder / "0.png", drawn((28, 28), 9))
    write(tmp_path / "images/ground_truth/spot/0_mask.png", np.zeros((28, 27), np.uint8))
    with pytest.raises(UserError, match="has 28×27 pixels, but its image has 28×28"):
        run("prepare")


def test_a_source_that_changes_while_it_is_read_is_named(
    run: Recipe, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_through = prepared.looked_through

    def then_lost(*arguments: Any) -> list[prepared.Listed]:
        listed = looked_through(*arguments)
        (photos / "9.png").write_bytes(b"")
        return listed

    monkeypatch.setattr(prepared, "looked_through", then_lost)
    with pytest.raises(UserError, match="changed while it was read"):
        run("prepare", data={"skip_bad": True})


def test_classes_keep_their_names_whatever_they_are(run: Recipe, tmp_path: Path) -> None:
    for index in range(24):
        write(tmp_path / "images" / ("$a_$", "normal")[index % 2] / f"{index}.png", drawn((28, 28), index))
    project = run(data={"normal": "$a_$"})
    assert pd.read_csv(project / "tables/classes.csv")["class"].tolist() == ["$a_$", "normal"]


def test_a_model_of_tiles_decides_nothing(run: Recipe, photos: Path) -> None:
    project = run("prepare", "train", "detect", data={"tiles": {"size": 12, "stride": 6}})
    answer = keras.saving.load_model(project / "models/detector.keras")
    assert answer.input_shape == (None, 12, 12, 1)
    assert "anomaly" not in answer.output


def test_a_threshold_is_left_out_where_nothing_is_held_out_for_it(run: Recipe, photos: Path) -> None:
    project = run(split={"train": 0.6, "threshold": 0.0})
    assert "threshold" not in pd.read_csv(project / "tables/detection.csv")
    assert "false_alarms" not in json.loads((project / "metrics/detect.json").read_text())
    assert "anomaly" not in pd.read_csv(project / "data/scores.csv")


def test_a_bad_file_is_named_and_with_skip_bad_passed_over(
    run: Recipe, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.png").write_bytes((photos / "1.png").read_bytes()[:60])
    with pytest.raises(UserError, match=r"bad\.png"):
        run("prepare")
    project = run("prepare", data={"skip_bad": True})
    assert re.search(r"skipped: .*bad\.png", capsys.readouterr().err)
    assert len(prepared.pictures(project / "data/prepared")) == 20


def test_pictures_of_many_sizes_need_a_size_or_tiles(run: Recipe, photos: Path) -> None:
    write(photos / "large.png", drawn((40, 30), 1))
    with pytest.raises(UserError, match="Ask for a size"):
        run("prepare")
    project = run("prepare", data={"tiles": {"size": 12, "stride": 12}})
    pieces = {picture.name: picture.pieces for picture in prepared.pictures(project / "data/prepared")}
    assert (pieces["1.png"], pieces["large.png"]) == (4, 12)


def test_names_of_any_kind_keep_their_pictures(run: Recipe, photos: Path) -> None:
    odd = ["-dash.png", "with space.png", "new\nline.png", "ä 図.png", os.fsdecode(b"no\xffutf8.png")]
    for index, name in enumerate(odd):
        write(photos / name, drawn((23, 23), 50 + index))
    project = run(split={"train": 0.2, "validation": 0.1, "threshold": 0.1, "test": 0.6})
    assert set(odd) <= {picture.name for picture in prepared.pictures(project / "data/prepared")}
    assert len(pd.read_csv(project / "data/scores.csv")) == len(list((project / "data/maps").glob("*.png")))


@pytest.mark.parametrize("batch_size", [4, 5])
def test_a_batch_that_would_need_many_gigabytes_is_refused(batch_size: int) -> None:
    run = settings.load(Path("own")).run.model_copy(update={"batch_size": batch_size})
    if batch_size == 4:
        check_memory(run, "convolutional", MOST_NUMBERS // 4)
        return
    with pytest.raises(UserError, match=r"a batch has 5 pieces.*Lower model\.convolutional\.batch_size"):
        check_memory(run, "convolutional", MOST_NUMBERS // 4)


def test_pieces_too_large_for_any_network_are_refused_before_anything_is_written(
    run: Recipe, tmp_path: Path
) -> None:
    for index in range(5):
        write(tmp_path / "images" / f"{index}.png", np.zeros((2000, 1100), np.uint8))
    with pytest.raises(UserError, match=r"pieces have 2004 × 1100 pixels, more than .*data\.tiles"):
        run("prepare")
    assert not (tmp_path / "data").exists()


def test_a_stage_is_stopped_without_a_trace_of_python_on_a_users_mistake(photos: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "own", "prepare", str(photos)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert re.match(r"error: .*params\.yaml could not be read", done.stderr)
