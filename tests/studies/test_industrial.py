"""The industrial study: pieces of a texture, and defects drawn onto some."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml

from cae.core.errors import UserError
from cae.datasets.sources import open_source
from studies.industrial import defects, draw, settings, textures

DRAWING = settings.load().drawing
PARTS = ("train", "validation", "threshold", "test")
every_kind = pytest.mark.parametrize("kind", defects.KINDS)


@pytest.fixture(scope="module")
def pictures() -> dict[str, textures.Piece]:
    return draw.drawn(DRAWING)


def folder(pictures: dict[str, textures.Piece], name: str) -> dict[str, textures.Piece]:
    """Return the pictures of one folder by their stem."""
    return {Path(path).stem: picture for path, picture in pictures.items() if Path(path).parent == Path(name)}


def changed(tmp_path: Path, **values: object) -> Path:
    """Write the committed parameters with some of `drawing` replaced."""
    content = yaml.safe_load(settings.PATH.read_text())
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"drawing": content["drawing"] | values}))
    return path


@pytest.mark.parametrize("normal", textures.TEXTURES)
def test_a_texture_comes_inside_the_installed_package(normal: textures.Texture) -> None:
    texture = textures.read(normal)
    assert texture.shape == (textures.SIDE, textures.SIDE)
    assert texture.dtype == np.uint8


def test_pieces_of_neighbouring_bands_may_lie_across_both_and_reach_no_other() -> None:
    texture = textures.read("gravel")
    pieces = textures.cut(texture, [2, 3], size=28, stride=7)
    assert sorted({int(name[:3]) for name in pieces}) == [56, 63, 70, 77, 84]
    np.testing.assert_array_equal(pieces["063_014"], texture[63:91, 14:42])


def test_no_two_parts_share_a_row(pictures: dict[str, textures.Piece]) -> None:
    size = DRAWING.size
    rows = {
        part: {int(name[:3]) + row for name in folder(pictures, f"{part}/good") for row in range(size)}
        for part in PARTS
    }
    assert all(rows[one].isdisjoint(rows[other]) for one, other in combinations(PARTS, 2))


def test_there_are_enough_pieces_for_one_false_alarm_in_a_hundred(
    pictures: dict[str, textures.Piece],
) -> None:
    counts = {part: len(folder(pictures, f"{part}/good")) for part in PARTS}
    assert counts == {"train": 2030, "validation": 18, "threshold": 108, "test": 54}


@every_kind
def test_a_mask_marks_what_changed(pictures: dict[str, textures.Piece], kind: str) -> None:
    good, masks = folder(pictures, "test/good"), folder(pictures, f"ground_truth/{kind}")
    for name, piece in folder(pictures, f"test/{kind}").items():
        difference = np.abs(piece.astype(int) - good[name])
        np.testing.assert_array_equal(masks[f"{name}_mask"], 255 * (difference > DRAWING.marked))
        assert masks[f"{name}_mask"].any()


@pytest.mark.parametrize("kind", ["scratch", "hole"])
def test_nothing_changes_outside_a_sharp_defect(pictures: dict[str, textures.Piece], kind: str) -> None:
    good, masks = folder(pictures, "test/good"), folder(pictures, f"ground_truth/{kind}")
    for name, piece in folder(pictures, f"test/{kind}").items():
        outside = masks[f"{name}_mask"] == 0
        np.testing.assert_array_equal(piece[outside], good[name][outside])


@every_kind
def test_a_defect_depends_on_its_seed_kind_and_number_alone(kind: str) -> None:
    piece = np.full((28, 28), 100, np.uint8)
    first, again, next_one = (defects.drawn(piece, kind, DRAWING, index) for index in (3, 3, 4))
    other_seed = defects.drawn(piece, kind, DRAWING.model_copy(update={"seed": DRAWING.seed + 1}), 3)
    np.testing.assert_array_equal(first.piece, again.piece)
    assert not np.array_equal(first.piece, next_one.piece)
    assert not np.array_equal(first.piece, other_seed.piece)


def test_a_defect_that_cannot_be_seen_is_refused() -> None:
    black = np.zeros((28, 28), np.uint8)
    with pytest.raises(
        UserError, match=r"no pixel of the hole on piece 5 .* lower that, or make drawing\.hole"
    ):
        defects.drawn(black, "hole", DRAWING, 5)


def test_the_same_parameters_give_the_same_bytes(pictures: dict[str, textures.Piece]) -> None:
    again = draw.drawn(DRAWING)
    assert list(again) == list(pictures)
    assert all(draw.png(again[name]) == draw.png(picture) for name, picture in pictures.items())


def test_the_folder_is_read_as_mvtec_with_its_parts_and_masks(
    pictures: dict[str, textures.Piece], tmp_path: Path
) -> None:
    # One piece of each folder: they begin at rows 0, 28, 112 and 140.
    shown = ("000_056", "028_056", "112_056", "140_056")
    few = {path: picture for path, picture in pictures.items() if Path(path).stem.startswith(shown)}
    draw.write(tmp_path / "pictures", few)
    source = open_source(tmp_path / "pictures")
    assert source.normal == "good"
    found = {(picture.split, picture.label, picture.mask and picture.mask.parent.name) for picture in source}
    good = {(part, "good", None) for part in PARTS}
    strange = {("test", name, None) for name in textures.TEXTURES if name != DRAWING.normal}
    assert found == good | strange | {("test", kind, kind) for kind in defects.KINDS}
    for picture in source:
        np.testing.assert_array_equal(picture.pixels, few[picture.name])


def test_pictures_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    piece = np.zeros((4, 4), np.uint8)
    draw.write(tmp_path / "pictures", {"test/good/old.png": piece})
    draw.write(tmp_path / "pictures", {"test/good/new.png": piece})
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")] == [
        "pictures/test/good/new.png"
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"normal": "sand"}, "drawing.normal is 'sand'.*'brick', 'gravel' or 'grass'"),
        ({"size": 40}, r"bands has \[12, 13, 14, 15, 16, 17\], but a texture has bands 0 to 11 of 40 rows"),
        (
            {"scratch": {"length": [9, 3], "width": [1, 2], "contrast": [9, 9]}},
            r"drawing.scratch.length: \[9.0, 3.0\]",
        ),
        ({"hole": {"radius": [1, 2], "darkness": [0.4, 1.5]}}, "drawing.hole.darkness.1 is 1.5"),
        (
            {"bands": {"train": [1, 2], "validation": [3], "threshold": [4], "test": [2, 4]}},
            r"drawing.bands: two parts have the bands \[2, 4\]",
        ),
    ],
)
def test_a_wrong_parameter_is_named(tmp_path: Path, values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        settings.load(changed(tmp_path, **values))
