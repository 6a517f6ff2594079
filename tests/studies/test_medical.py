"""The medical study: which scan is fetched, where tiles are cut, what a lesion changes."""

import gzip
import hashlib
import io
import json
import plistlib
import shutil
import tarfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import yaml
from PIL import Image

from cae.core import config, files
from cae.core.errors import UserError
from cae.datasets.downloads import MirrorError
from cae.datasets.sources import open_source
from stages.runner.project import Project
from studies.medical import draw, fetch, inv3, repeat, tiles
from studies.medical.brain import Mask, find_brain
from studies.medical.inv3 import Scan, Volume
from studies.medical.settings import Drawing, SplitSlabs
from tests.studies.running import copy_study, run, run_declared, run_stage

PARAMS = Path("studies/medical/params.yaml")
SPLITS = tuple(SplitSlabs.model_fields)
SPACING = (2.0, 1.0, 1.0)
# Parameters for a head of 24 slices, in tiles of 12 pixels.
SMALL: dict[str, Any] = {
    "seed": 1,
    "brain": {"tissue": [0, 90], "smoothing": 0.5, "margin": 2.0},
    "slabs": {
        "train": [[3, 6]],
        "validation": [[8, 9]],
        "threshold": [[11, 13]],
        "test": [[15, 18], [20, 20]],
    },
    "gap": 1,
    "side": 12,
    "share": 0.95,
    "stride": 4,
    "excluded": {"slices": [0, 12], "rows": [0, 20], "columns": [0, 20]},
    "lesions": {"changes": [[20, 30], [-25, -15]], "radii": [2, 4], "softness": 0.5, "visible": 5},
}


def validate(**changes: Any) -> draw.Settings:
    return config.validate({"drawing": SMALL | changes}, draw.Settings, PARAMS)


def make_drawing(**changes: Any) -> Drawing:
    return validate(**changes).drawing


@pytest.fixture(scope="module")
def head() -> Scan:
    """A ball of brain in a shell of bone, in air, with a noise of 5 HU."""
    slices, rows, columns = np.indices((24, 64, 64))
    radius = np.sqrt(((slices - 12) * 2) ** 2 + (rows - 32) ** 2 + (columns - 32) ** 2)
    clean = np.select([radius < 25, radius < 29], [30, 900], -1000)
    noise = np.random.default_rng(0).normal(0, 5, clean.shape)
    return Scan((clean + noise).round().astype(np.int16), SPACING)


@pytest.fixture(scope="module")
def brain(head: Scan) -> Mask:
    return find_brain(head, make_drawing().brain)


@pytest.fixture(scope="module")
def project(head: Scan, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The images of that head."""
    project = Project(tmp_path_factory.mktemp("medical"))
    files.write_array(project.folder / "data/volume.npy", head.volume)
    files.write_json(project.folder / "data/spacing.json", list(head.spacing))
    run(draw.draw, project, validate())
    return project


# The scan.


def make_project(matrix: Volume, shape: Sequence[int] | None = None, kind: str = "int16") -> bytes:
    """Return a file as InVesalius writes it."""
    description = {
        "matrix": {"filename": "matrix.dat", "shape": list(shape or matrix.shape), "dtype": kind},
        "spacing": [0.5, 0.75, 1.5],
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        members = {"main.plist": plistlib.dumps(description), "matrix.dat": matrix.astype("<i2").tobytes()}
        for name, content in members.items():
            member = tarfile.TarInfo(f"folder/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


MATRIX = np.arange(-12, 12, dtype=np.int16).reshape(2, 3, 4)
CHECKSUM = hashlib.sha256(MATRIX.astype("<i2").tobytes()).hexdigest()


class FakeMirror:
    """A mirror that has the file, or none."""

    name: ClassVar[str] = "the mirror"

    def __init__(self, content: bytes | None) -> None:
        self.content = content

    def fetch(self, folder: Path, names: Sequence[str]) -> None:
        if self.content is None:
            raise MirrorError("it is empty")
        (folder / names[0]).write_bytes(self.content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no archive", "not a gzip file"),
        (make_project(MATRIX)[:-60], "Compressed file ended"),
        (gzip.compress(b""), "empty file"),
        (make_project(MATRIX, shape=(5, 5, 5)), "cannot reshape"),
        (make_project(MATRIX, kind="uint8"), "has the type uint8"),
    ],
    # Processes of pytest must agree on the names, and a gzip stream holds the time when it was made.
    ids=["no archive", "truncated", "empty", "other shape", "other type"],
)
def test_a_file_without_a_scan_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.inv3"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"scan\.inv3 cannot be read.*{reason}"):
        inv3.read(path)


def test_only_the_expected_scan_is_fetched_and_kept(tmp_path: Path) -> None:
    mirrors = [FakeMirror(None), FakeMirror(make_project(MATRIX + np.int16(1)))]
    with pytest.raises(UserError, match="another scan") as error:
        fetch.fetch_scan(tmp_path, mirrors, CHECKSUM)
    for part in ("the mirror: it is empty", f"copy {fetch.PROJECT}", f"into {tmp_path}"):
        assert part in str(error.value)
    fetch.fetch_scan(tmp_path, [FakeMirror(make_project(MATRIX))], CHECKSUM)
    scan = fetch.fetch_scan(tmp_path, [], CHECKSUM)
    assert np.array_equal(scan.volume, MATRIX)
    # Distances of slices, rows and columns.
    assert scan.spacing == (1.5, 0.75, 0.5)


# The brain, and where tiles are cut.


def test_brain_is_the_tissue_inside_the_skull_without_a_margin(head: Scan, brain: Mask) -> None:
    assert brain[12, 32, 32]
    assert not brain[12, 32, 32 + 24]
    assert head.volume[brain].max() < 90


def test_a_scan_without_brain_is_refused() -> None:
    air = Scan(np.full((4, 16, 16), -1000, np.int16), SPACING)
    with pytest.raises(UserError, match=r"drawing\.brain\.tissue"):
        find_brain(air, make_drawing().brain)


@pytest.mark.parametrize(
    ("split", "slices"),
    [
        ("train", {3, 4, 5, 6}),
        ("validation", {8, 9}),
        ("threshold", {11, 12, 13}),
        ("test", {15, 16, 17, 18, 20}),
    ],
)
def test_tiles_are_brain_in_their_slabs_and_only_training_tiles_overlap(
    split: str, slices: set[int], brain: Mask
) -> None:
    found = tiles.list_tiles(brain, split, make_drawing())
    assert {tile.slice for tile in found} == slices
    for tile in found:
        assert tile.cut(brain, 12).mean() >= 0.95
        # The rest is excluded.
        assert tile.slice > 12 or tile.row > 20 or tile.column > 20
    overlaps = any(
        one != other
        and one.slice == other.slice
        and max(abs(one.row - other.row), abs(one.column - other.column)) < 12
        for one, other in product(found, found)
    )
    assert overlaps == (split == "train")


def test_slabs_outside_the_scan_and_without_brain_are_named(brain: Mask) -> None:
    slabs = SMALL["slabs"] | {"test": [[23, 24]]}
    with pytest.raises(UserError, match=r"slabs\.test .* \[23, 24\].* 0 to 23"):
        tiles.list_tiles(brain, "test", make_drawing(slabs=slabs))
    with pytest.raises(UserError, match=r"slabs\.test .* no square of 60 pixels"):
        tiles.list_tiles(brain, "test", make_drawing(side=60))


# The images.


def read_hounsfield(path: Path) -> Volume:
    return (np.asarray(Image.open(path)).astype(np.int32) - 1024).astype(np.int16)


def test_the_folder_is_read_as_mvtec_with_its_splits_and_masks(
    project: Project, head: Scan, brain: Mask
) -> None:
    source = open_source(project.folder / draw.FOLDER)
    samples = list(source)
    assert source.normal == "good"
    expected = {(split, "good", False) for split in SPLITS} | {("test", "lesion", True)}
    assert {(sample.split, sample.label, sample.mask is not None) for sample in samples} == expected
    assert {sample.pixels.shape for sample in samples} == {(12, 12)}
    tile = tiles.list_tiles(brain, "train", make_drawing())[0]
    values = read_hounsfield(project.folder / draw.FOLDER / f"train/good/{tile.name}.png")
    np.testing.assert_array_equal(values, tile.cut(head.volume, 12))


def test_a_mask_has_the_pixels_that_changed_and_a_table_every_lesion(project: Project) -> None:
    folder = project.folder / draw.FOLDER
    table = files.read_csv(project.folder / "data/lesions.csv").set_index("name")
    paths = sorted((folder / "test/lesion").iterdir())
    good = sorted((folder / "test/good").iterdir())
    assert (
        [path.name for path in paths]
        == [path.name for path in good]
        == [f"{name}.png" for name in table.index]
    )
    for path in paths:
        change = read_hounsfield(path) - read_hounsfield(folder / "test/good" / path.name)
        mask = np.asarray(Image.open(folder / "ground_truth/lesion" / f"{path.stem}_mask.png"))
        np.testing.assert_array_equal(mask, np.where(np.abs(change) > 5, 255, 0))
        assert np.count_nonzero(mask) == table["pixels"][path.stem] > 0
        # A lesion is brighter or darker, within the range that it was drawn from.
        assert 15 <= np.abs(change).max() <= 30
        assert (change >= 0).all() or (change <= 0).all()
    assert table["radius"].between(2, 4).all()


def test_a_lesion_changes_only_brain(head: Scan, brain: Mask) -> None:
    part = brain.copy()
    part[:, 30:] = False
    for anomalous in draw.draw_lesions(head, part, make_drawing(share=0.8)):
        outside = ~anomalous.tile.cut(part, 12)
        normal = anomalous.tile.cut(head.volume, 12)
        np.testing.assert_array_equal(anomalous.values[outside], normal[outside])


def test_the_seed_changes_lesions_alone(head: Scan) -> None:
    first, again, other = (
        {
            name: content.keywords["pixels"].tobytes()
            for name, content in draw.draw_images(head, make_drawing(seed=seed)).items()
            if name.endswith(".png")
        }
        for seed in (1, 1, 2)
    )
    assert first == again
    changed = {name.rpartition("/")[0] for name in first if first[name] != other[name]}
    assert changed == {f"{draw.FOLDER}/{folder}/lesion" for folder in ("test", "ground_truth")}


# Other sizes of the code.


@pytest.mark.usefixtures("pipeline")
def test_a_network_with_another_code_size_is_trained_and_measured(project: Project) -> None:
    network = {"code_size": 32, "width": 8, "batch_size": 8, "augmentations": []}
    params = {
        "anomaly": {"smoothing": 2.0, "false_alarms": 0.3},
        "data": {"source": draw.FOLDER, "window": [1024, 1104]},
        "model": {"name": "discriminative"},
        "residual": {"model": {"name": "residual", "residual": network}, "train": {"epochs": 2}},
        "split": {"train": 0.6, "validation": 0.1, "test": 0.15, "threshold": 0.15},
    }
    folder = copy_study("medical", params)
    shutil.copytree(project.folder / "data", folder / "data")
    run_stage("stages.prepare", folder, "prepare")
    run_declared("medical", "train_size", "3")
    run_declared("medical", "detect_size", "3")
    metrics = json.loads((folder / "sizes/3.json").read_text())
    expected = {"best_epoch", "val_loss", "auroc", "pixel_auroc", "aupro", "caught", "false_alarms"}
    assert metrics.keys() == expected


# The parameters.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": 30}, "side 30 must be 4 more than a multiple of 8, such as 28 or 36"),
        ({"share": 0.5}, "drawing.share is 0.5"),
        ({"gap": 2}, "slabs has [3, 6] of train and [8, 9] of validation, with 1 slices between them"),
        ({"slabs": SMALL["slabs"] | {"test": [[15, 18], [18, 20]]}}, "those of one split must not overlap"),
        ({"slabs": SMALL["slabs"] | {"train": [[6, 3]]}}, "drawing.slabs.train.0: [6, 3] must be [least, gr"),
        ({"slabs": SMALL["slabs"] | {"train": []}}, "drawing.slabs.train is []"),
        ({"lesions": SMALL["lesions"] | {"changes": [[-20, 30]]}}, "changes may be as small as 0 HU"),
        ({"lesions": SMALL["lesions"] | {"radii": [0, 4]}}, "radii begins at 0 mm"),
        ({"colour": 1}, "drawing.colour is not a known key"),
    ],
)
def test_a_wrong_parameter_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        validate(**changes)
    assert message in str(error.value)


def test_the_committed_parameters_are_valid_and_keep_splits_apart() -> None:
    drawing = make_drawing(**yaml.safe_load(PARAMS.read_text())["drawing"])
    slices = {
        split: {index for first, last in slabs for index in range(first, last + 1)}
        for split, slabs in drawing.slabs
    }
    for one, other in product(SPLITS, SPLITS):
        if one != other:
            assert min(abs(a - b) for a in slices[one] for b in slices[other]) > drawing.gap >= 2


def test_every_split_gets_as_many_slabs_and_the_splits_stay_apart() -> None:
    drawing = make_drawing(**yaml.safe_load(PARAMS.read_text())["drawing"])
    shifted = repeat.shift_slabs(drawing, 2)
    for (split, before), (_, after) in zip(drawing.slabs, shifted.slabs, strict=True):
        assert len(after) == len(before)
        assert after != before, split
    # Validates that slabs of different splits keep their gap.
    assert Drawing.model_validate(shifted.model_dump()) == shifted
    assert shifted.seed == drawing.seed + 2
    assert shifted.slabs.train[0] == (36, 40)


@pytest.mark.usefixtures("pipeline")
def test_the_study_is_repeated_on_other_splits(head: Scan) -> None:
    small = {"name": "discriminative", "discriminative": {"width": 2, "filters": 2, "batch_size": 16}}
    folder = copy_study(
        "medical",
        {
            "anomaly": {"score": "segmentation", "smoothing": 2.0},
            "baselines": {"components": 4},
            "data": {"source": draw.FOLDER, "window": [1024, 1104]},
            "drawing": SMALL,
            "model": small,
            "probes": {"labels_per_class": [], "seeds": [1]},
            "split": {"train": 0.6, "validation": 0.1, "test": 0.15, "threshold": 0.15},
            "train": {"epochs": 1},
        },
    )
    files.write_array(folder / "data/volume.npy", head.volume)
    files.write_json(folder / "data/spacing.json", list(SPACING))
    run_declared("medical", "repeat", "1")
    table = files.read_csv(folder / "repeats/1.csv").set_index("method")
    assert {"segmentation", "mean image"} <= set(table.index)
    assert table["auroc"].notna().all()
