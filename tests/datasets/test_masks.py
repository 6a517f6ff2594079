"""Every sample gets the mask of its defect."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cae.core.errors import UserError
from cae.datasets.masks import check_masks, read_masks
from cae.datasets.prepared import SampleInfo


def describe(name: str, mask: str | None, normal: bool = False) -> SampleInfo:
    return SampleInfo(name, None, None, name, mask, (2, 3), (2, 3), 1, (2, 3, 1), "uint8", "test", normal)


def write(path: Path, *masks: list[list[int]]) -> None:
    pages = [Image.fromarray(np.array(mask, np.uint8)) for mask in masks]
    pages[0].save(path, save_all=True, append_images=pages[1:])


def test_masks_are_where_a_file_is_not_0_and_normal_samples_have_empty_ones(tmp_path: Path) -> None:
    write(tmp_path / "mask.tif", [[0, 1, 0], [0, 0, 255]], [[0, 0, 0], [7, 0, 0]])
    samples = [describe("a", None, normal=True), describe("b", None)]
    samples += [describe(f"c.tif#{index}", "mask.tif") for index in range(2)]
    empty, missing, *others = read_masks(tmp_path, samples)
    assert empty is not None
    assert empty.shape == (2, 3)
    assert not empty.any()
    assert missing is None
    found = [np.argwhere(mask).tolist() for mask in others if mask is not None]
    assert found == [[[0, 1], [1, 2]], [[1, 0]]]


def test_a_source_without_masks_has_none() -> None:
    assert list(read_masks(Path(), [describe("a", None, normal=True)])) == [None]


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([[[0, 1, 0], [0, 0, 0]]], "holds fewer masks than its file has images"),
        ([[[0, 1, 0], [0, 0, 0]]] * 3, "holds more masks than its file has images"),
        ([[[0, 1, 0]]] * 2, "has 1×3 pixels, but its image has 2×3"),
    ],
)
def test_masks_that_do_not_fit_are_refused(
    tmp_path: Path, masks: list[list[list[int]]], message: str
) -> None:
    write(tmp_path / "mask.tif", *masks)
    with pytest.raises(UserError, match=message):
        check_masks(tmp_path, [describe(f"c.tif#{index}", "mask.tif") for index in range(2)])
