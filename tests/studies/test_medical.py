"""Pictures of a head CT: what is fetched, which slices go where, what a lesion changes."""

import gzip
import hashlib
import io
import plistlib
import tarfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import yaml
from PIL import Image

from cae.core.errors import UserError
from cae.datasets.mirrors import InstalledPackage, MirrorError
from cae.datasets.sources import open_source
from studies.medical import brain, draw, fetch, inv3, pieces, settings
from studies.medical.inv3 import Scan, Volume
from studies.medical.settings import Drawing, Parts

ROOT = Path(__file__).parents[2]
PARTS = tuple(Parts.model_fields)
SPACING = (2.0, 1.0, 1.0)
# Of a head of 24 slices, in pieces of 12 pixels.
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


def drawing(**changes: Any) -> Drawing:
    return Drawing.model_validate(SMALL | changes)


def head() -> Scan:
    """A ball of brain in a shell of bone, in air, with a noise of 5 HU."""
    slices, rows, columns = np.indices((24, 64, 64))
    radius = np.sqrt(((slices - 12) * 2) ** 2 + (rows - 32) ** 2 + (columns - 32) ** 2)
    clean = np.select([radius < 25, radius < 29], [30, 900], -1000)
    noise = np.random.default_rng(0).normal(0, 5, clean.shape)
    return Scan((clean + noise).round().astype(np.int16), SPACING)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "pictures"
    draw.write(folder, head(), drawing())
    return folder


def hounsfield(path: Path) -> Volume:
    return (np.asarray(Image.open(path)).astype(np.int32) - 1024).astype(np.int16)


def parts_of(volume: Volume) -> dict[str, list[pieces.Piece]]:
    inside = brain.region(Scan(volume, SPACING), drawing().brain)
    return {part: pieces.of_part(inside, part, drawing()) for part in PARTS}


# The scan.


def project(matrix: Volume, shape: Sequence[int] | None = None, kind: str = "int16") -> bytes:
    """A file as InVesalius writes one."""
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


class Shelf:
    """A source that has the file, or says that it has not."""

    name: ClassVar[str] = "the shelf"

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.asked = 0

    def fetch(self, folder: Path, names: Sequence[str]) -> None:
        self.asked += 1
        if self.content is None:
            raise MirrorError("it is empty")
        (folder / names[0]).write_bytes(self.content)


def test_a_scan_is_read_with_the_distances_of_slices_rows_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "scan.inv3"
    path.write_bytes(project(MATRIX))
    scan = inv3.read(path)
    assert np.array_equal(scan.volume, MATRIX)
    assert scan.spacing == (1.5, 0.75, 0.5)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no archive", "not a gzip file"),
        (project(MATRIX)[:-60], "Compressed file ended"),
        (gzip.compress(b""), "empty file"),
        (project(MATRIX, shape=(5, 5, 5)), "cannot reshape"),
        (project(MATRIX, kind="uint8"), "has the type uint8"),
    ],
    # Workers must agree on names, and a gzip stream holds the second it was made in.
    ids=["no archive", "cut off", "empty", "of another shape", "of another type"],
)
def test_a_file_that_holds_no_scan_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.inv3"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"scan\.inv3 cannot be read") as error:
        inv3.read(path)
    assert reason in str(error.value)


def test_a_file_put_there_by_hand_is_looked_at_first(tmp_path: Path) -> None:
    (tmp_path / fetch.PROJECT).write_bytes(project(MATRIX))
    shelf = Shelf(project(MATRIX))
    assert np.array_equal(fetch.fetch(tmp_path, [shelf], CHECKSUM).volume, MATRIX)
    assert shelf.asked == 0


def test_a_fetched_file_is_kept_and_nothing_else(tmp_path: Path) -> None:
    fetch.fetch(tmp_path, [Shelf(None), Shelf(project(MATRIX))], CHECKSUM)
    assert [path.name for path in tmp_path.iterdir()] == [fetch.PROJECT]
    assert fetch.fetch(tmp_path, [], CHECKSUM).spacing == (1.5, 0.75, 0.5)


def test_another_scan_is_never_used(tmp_path: Path) -> None:
    other = project(MATRIX + np.int16(1))
    with pytest.raises(UserError, match="another scan"):
        fetch.fetch(tmp_path, [Shelf(other)], CHECKSUM)
    (tmp_path / fetch.PROJECT).write_bytes(other)
    assert np.array_equal(fetch.fetch(tmp_path, [Shelf(project(MATRIX))], CHECKSUM).volume, MATRIX)


def test_who_cannot_get_the_file_is_told_how_to_put_it_there(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        fetch.fetch(tmp_path, [Shelf(None)], CHECKSUM)
    assert "the shelf: it is empty" in str(error.value)
    assert f"copy {fetch.PROJECT}" in str(error.value)
    assert f"into {tmp_path}" in str(error.value)


def test_an_installed_package_is_copied(tmp_path: Path) -> None:
    package, raw = tmp_path / "package", tmp_path / "raw"
    package.mkdir()
    (package / fetch.PROJECT).write_bytes(project(MATRIX))
    assert np.array_equal(fetch.fetch(raw, [InstalledPackage(package)], CHECKSUM).volume, MATRIX)
    assert (package / fetch.PROJECT).exists()


# The brain, and where it is cut.


def test_brain_is_the_tissue_inside_the_skull_less_a_margin() -> None:
    scan = head()
    inside = brain.region(scan, drawing().brain)
    assert inside[12, 32, 32]
    assert not inside[12, 32, 32 + 24]
    assert scan.volume[inside].max() < 90


def test_a_scan_without_brain_is_refused() -> None:
    air = Scan(np.full((4, 16, 16), -1000, np.int16), SPACING)
    with pytest.raises(UserError, match=r"drawing\.brain\.tissue"):
        brain.region(air, drawing().brain)


def test_each_part_has_the_slices_of_its_slabs_alone() -> None:
    slices = {part: {piece.slice for piece in found} for part, found in parts_of(head().volume).items()}
    assert slices == {
        "train": {3, 4, 5, 6},
        "validation": {8, 9},
        "threshold": {11, 12, 13},
        "test": {15, 16, 17, 18, 20},
    }


def test_slices_of_two_parts_do_not_touch() -> None:
    chosen = settings.load(ROOT / settings.PATH).drawing
    slices = {
        part: {index for first, last in getattr(chosen.slabs, part) for index in range(first, last + 1)}
        for part in PARTS
    }
    for part, other in product(PARTS, PARTS):
        if part != other:
            assert min(abs(a - b) for a in slices[part] for b in slices[other]) > chosen.gap >= 2


def test_pieces_overlap_in_training_alone() -> None:
    def overlap(found: list[pieces.Piece]) -> bool:
        return any(
            one != other
            and one.slice == other.slice
            and max(abs(one.row - other.row), abs(one.column - other.column)) < SMALL["side"]
            for one, other in product(found, found)
        )

    assert {part: overlap(found) for part, found in parts_of(head().volume).items()} == {
        "train": True,
        "validation": False,
        "threshold": False,
        "test": False,
    }


def test_a_piece_is_brain_and_holds_nothing_that_is_excluded() -> None:
    scan = head()
    inside = brain.region(scan, drawing().brain)
    for part, found in parts_of(scan.volume).items():
        for piece in found:
            assert piece.cut(inside, 12).mean() >= 0.95, part
            assert piece.slice > 12 or piece.row > 20 or piece.column > 20, part


def test_slabs_beyond_the_scan_or_without_brain_are_named() -> None:
    scan = head()
    inside = brain.region(scan, drawing().brain)
    slabs = SMALL["slabs"]
    with pytest.raises(UserError, match=r"slabs\.test .* \[23, 24\].* 0 to 23"):
        pieces.of_part(inside, "test", drawing(slabs=slabs | {"test": [[23, 24]]}))
    with pytest.raises(UserError, match=r"slabs\.test .* no square of 60 pixels"):
        pieces.of_part(inside, "test", drawing(side=60))


# The pictures.


def test_pictures_are_laid_out_as_mvtec_with_a_validation_and_a_threshold(pictures: Path) -> None:
    source = open_source(pictures)
    found = list(source)
    assert source.normal == "good"
    assert {(picture.split, picture.label) for picture in found} == {
        *((part, "good") for part in PARTS),
        ("test", "lesion"),
    }
    for picture in found:
        assert picture.split == picture.name.split("/")[0]
        assert (picture.mask is not None) == (picture.label == "lesion")
        assert picture.pixels.dtype == np.uint16
        assert picture.pixels.shape == (12, 12)


def test_a_picture_holds_the_values_of_its_place_and_1024() -> None:
    volume = head().volume
    piece = parts_of(volume)["train"][0]
    assert np.array_equal(draw.stored(piece.cut(volume, 12)).astype(int) - 1024, piece.cut(volume, 12))


def test_a_mask_marks_what_changed_by_more_than_is_said(pictures: Path) -> None:
    ill = sorted((pictures / "test/lesion").iterdir())
    assert [path.name for path in ill] == [path.name for path in sorted((pictures / "test/good").iterdir())]
    for path in ill:
        change = hounsfield(path) - hounsfield(pictures / "test/good" / path.name)
        mask = np.asarray(Image.open(pictures / "ground_truth/lesion" / f"{path.stem}_mask.png"))
        assert np.array_equal(mask, np.where(np.abs(change) > 5, 255, 0))
        assert mask.any()
        # One lesion is brighter or darker, as strong as the range that it was drawn from.
        assert 15 <= np.abs(change).max() <= 30
        assert (change >= 0).all() or (change <= 0).all()


def test_a_lesion_leaves_what_is_not_brain_as_it_is() -> None:
    scan = head()
    inside = brain.region(scan, drawing().brain)
    inside[:, 30:] = False
    for ill in draw.with_lesions(scan, inside, drawing(share=0.8)):
        outside = ~ill.piece.cut(inside, 12)
        assert np.array_equal(ill.values[outside], ill.piece.cut(scan.volume, 12)[outside])


def test_the_table_has_every_lesion(tmp_path: Path) -> None:
    table = draw.write(tmp_path / "pictures", head(), drawing())
    masks = tmp_path / "pictures/ground_truth/lesion"
    assert len(table) == len(list(masks.iterdir()))
    for row in table.to_dict("records"):
        assert row["pixels"] == np.count_nonzero(np.asarray(Image.open(masks / f"{row['name']}_mask.png")))
        assert 2 <= row["radius"] <= 4


def test_the_same_parameters_give_the_same_bytes_and_another_seed_other_lesions_alone(
    pictures: Path, tmp_path: Path
) -> None:
    def contents(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}

    draw.write(tmp_path / "again", head(), drawing())
    draw.write(tmp_path / "other", head(), drawing(seed=2))
    first, again, other = map(contents, (pictures, tmp_path / "again", tmp_path / "other"))
    assert first == again
    changed = {name.rpartition("/")[0] for name in first if first[name] != other[name]}
    assert changed == {"test/lesion", "ground_truth/lesion"}


# The parameters.


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"side": 30}, "side 30 must be 4 more than a multiple of 8, such as 28 or 36"),
        ({"share": 0.5}, "drawing.share is 0.5"),
        ({"gap": 2}, "slabs has [3, 6] of train and [8, 9] of validation, with 1 slices between them"),
        ({"slabs": SMALL["slabs"] | {"test": [[15, 18], [18, 20]]}}, "those of one part must not overlap"),
        ({"slabs": SMALL["slabs"] | {"train": [[6, 3]]}}, "drawing.slabs.train.0: [6, 3] must not fall"),
        ({"slabs": SMALL["slabs"] | {"train": []}}, "drawing.slabs.train is []"),
        ({"lesions": SMALL["lesions"] | {"changes": [[-20, 30]]}}, "changes may be as small as 0 HU"),
        ({"lesions": SMALL["lesions"] | {"radii": [0, 4]}}, "radii begins at 0 mm"),
        ({"colour": 1}, "drawing.colour is not a known key"),
    ],
)
def test_a_wrong_parameter_is_named(changes: dict[str, Any], named: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"drawing": SMALL | changes}))
    with pytest.raises(UserError) as error:
        settings.load(path)
    assert named in str(error.value)


def test_sections_of_other_stages_may_stand_beside(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"drawing": SMALL, "train": {"epochs": 3}}))
    assert settings.load(path).drawing == drawing()
