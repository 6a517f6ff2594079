"""The industrial study: tiles of a texture, and defects drawn onto some."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cae.core import config
from cae.core.errors import UserError
from cae.datasets.sources import open_source
from studies.industrial import defects, draw, textures
from studies.industrial.textures import GreyLevels
from tests.studies.running import ROOT, copy_study, run_declared

PARAMS = Path("studies/industrial/params.yaml")
COMMITTED: dict[str, Any] = yaml.safe_load(PARAMS.read_text())["drawing"]
SPLITS = ("train", "validation", "threshold", "test")
# One band for each split, and tiles that do not overlap.
FEW = COMMITTED | {
    "stride": 28,
    "bands": {"train": [5], "validation": [4], "threshold": [0], "test": [1]},
}


def validate(content: dict[str, Any]) -> draw.Settings:
    return config.validate({"drawing": content}, draw.Settings, PARAMS)


DRAWING = validate(COMMITTED).drawing


@pytest.fixture(scope="module")
def images() -> dict[str, GreyLevels]:
    return draw.draw_images(DRAWING)


def select(images: dict[str, GreyLevels], folder: str) -> dict[str, GreyLevels]:
    """Return the images of a folder by their stems."""
    return {Path(name).stem: image for name, image in images.items() if Path(name).parent == Path(folder)}


@pytest.mark.parametrize("name", textures.TEXTURES)
def test_a_texture_is_inside_the_installed_package(name: textures.Texture) -> None:
    texture = textures.read(name)
    assert texture.shape == (textures.SIDE, textures.SIDE)
    assert texture.dtype == np.uint8


def test_tiles_lie_in_their_bands_and_across_neighbouring_ones() -> None:
    texture = textures.read("gravel")
    tiles = textures.cut(texture, [2, 3], size=28, stride=7)
    assert sorted({int(name[:3]) for name in tiles}) == [56, 63, 70, 77, 84]
    np.testing.assert_array_equal(tiles["063_014"], texture[63:91, 14:42])


def test_splits_share_no_row_and_allow_a_threshold_of_1_percent(images: dict[str, GreyLevels]) -> None:
    good = {split: select(images, f"{split}/good") for split in SPLITS}
    assert [len(tiles) for tiles in good.values()] == [2030, 18, 108, 54]
    rows = {
        split: {int(name[:3]) + row for name in tiles for row in range(DRAWING.size)}
        for split, tiles in good.items()
    }
    assert all(rows[one].isdisjoint(rows[other]) for one, other in combinations(SPLITS, 2))


@pytest.mark.parametrize("kind", defects.KINDS)
def test_a_mask_has_the_pixels_that_changed(images: dict[str, GreyLevels], kind: str) -> None:
    good, masks = select(images, "test/good"), select(images, f"ground_truth/{kind}")
    defective = select(images, f"test/{kind}")
    assert len(defective) == len(masks) == len(good)
    for name, tile in defective.items():
        mask, difference = masks[f"{name}_mask"], np.abs(tile.astype(int) - good[name])
        np.testing.assert_array_equal(mask, 255 * (difference > DRAWING.marked))
        assert mask.any()
        # Stains have soft edges.
        assert kind == "stain" or not difference[mask == 0].any()


@pytest.mark.parametrize("kind", defects.KINDS)
def test_a_defect_depends_on_its_seed_kind_and_index_alone(kind: str) -> None:
    tile = np.full((28, 28), 100, np.uint8)
    first, again, other = (defects.draw_defect(tile, kind, DRAWING, index).tile for index in (3, 3, 4))
    other_seed = defects.draw_defect(tile, kind, DRAWING.model_copy(update={"seed": 2}), 3).tile
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, other_seed)


def test_an_invisible_defect_is_refused() -> None:
    black = np.zeros((28, 28), np.uint8)
    with pytest.raises(UserError, match=r"no pixel of the hole on tile 5 .* or make drawing\.hole larger"):
        defects.draw_defect(black, "hole", DRAWING, 5)


@pytest.mark.usefixtures("pipeline")
def test_the_folder_is_read_as_mvtec_with_its_splits_and_masks() -> None:
    # Other sections are declared by other stages.
    parameters = yaml.safe_load((ROOT / PARAMS).read_text())
    folder = copy_study("industrial", parameters | {"drawing": FEW})
    run_declared("industrial", "draw")
    drawn = draw.draw_images(validate(FEW).drawing)
    source = open_source(folder / "data/images")
    assert source.normal == "good"
    samples = list(source)
    found = {(sample.split, sample.label, sample.mask and sample.mask.parent.name) for sample in samples}
    good = {(split, "good", None) for split in SPLITS}
    others = {("test", name, None) for name in textures.TEXTURES if name != DRAWING.normal}
    assert found == good | others | {("test", kind, kind) for kind in defects.KINDS}
    for sample in samples:
        np.testing.assert_array_equal(sample.pixels, drawn[sample.name])


@pytest.mark.parametrize(
    ("changes", "message"),
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
            r"drawing.bands: two splits have the bands \[2, 4\]",
        ),
    ],
)
def test_a_wrong_parameter_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        validate(COMMITTED | changes)
