"""How well error maps locate defects, compared with plain computations and known answers."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from sklearn.metrics import roc_auc_score

from cae.datasets.masks import Mask
from cae.metrics.error_maps import ErrorMap
from cae.metrics.localisation import Localisation


def draw(seed: int, levels: int) -> tuple[list[ErrorMap], list[Mask]]:
    """Three small pictures with some regions, and errors of few levels, so that many are equal."""
    draws = np.random.default_rng(seed)
    masks = [draws.random((7, 9)) < 0.15 for _ in range(3)]
    masks[0][3, 3], masks[1][:] = True, False
    maps = [(draws.integers(0, levels, (7, 9)) / levels).astype(np.float32) for _ in range(3)]
    return maps, masks


def add_all(maps: list[ErrorMap], masks: list[Mask]) -> Localisation:
    localisation = Localisation()
    for errors, mask in zip(maps, masks, strict=True):
        localisation.add(errors, mask)
    return localisation


def plain_overlap(maps: list[ErrorMap], masks: list[Mask]) -> float:
    """Bergmann's definition, threshold by threshold and region by region."""
    regions = []
    for place, mask in enumerate(masks):
        numbered, count = label(mask, np.ones((3, 3)))
        regions += [(place, numbered == index + 1) for index in range(count)]
    good = sum((~mask).sum() for mask in masks)
    points = [(0.0, 0.0)]
    for threshold in sorted({float(value) for found in maps for value in found.flat}, reverse=True):
        above = [found >= threshold for found in maps]
        alarms = sum((one & ~mask).sum() for one, mask in zip(above, masks)) / good
        overlap = np.mean([above[place][region].mean() for place, region in regions])
        points.append((float(alarms), float(overlap)))
    total = 0.0
    for (x, y), (next_x, next_y) in itertools.pairwise(points):
        if next_x <= 0.3:
            total += (next_x - x) * (y + next_y) / 2
        else:
            end = y + (next_y - y) * (0.3 - x) / (next_x - x)
            total += (0.3 - x) * (y + end) / 2
            break
    return total / 0.3


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([2, 5, 1000]))
def test_pixel_auroc_is_that_of_scikit_learn(seed: int, levels: int) -> None:
    maps, masks = draw(seed, levels)
    truth, errors = (np.concatenate([array.ravel() for array in arrays]) for arrays in (masks, maps))
    assert add_all(maps, masks).pixel_auroc() == pytest.approx(roc_auc_score(truth, errors))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([2, 5, 1000]))
def test_overlap_is_that_of_the_definition(seed: int, levels: int) -> None:
    maps, masks = draw(seed, levels)
    assert add_all(maps, masks).aupro() == pytest.approx(plain_overlap(maps, masks))


def test_maps_that_are_the_masks_are_perfect() -> None:
    _, masks = draw(1, 5)
    maps = [mask.astype(np.float32) for mask in masks]
    assert add_all(maps, masks).pixel_auroc() == 1
    assert add_all(maps, masks).aupro() == pytest.approx(1)


def test_constant_maps_are_chance() -> None:
    _, masks = draw(1, 5)
    maps = [np.zeros(mask.shape, np.float32) for mask in masks]
    assert add_all(maps, masks).pixel_auroc() == 0.5
    assert add_all(maps, masks).aupro() == pytest.approx(0.15)


def test_a_small_region_counts_as_much_as_a_large_one() -> None:
    mask = np.zeros((20, 20), bool)
    mask[0, 0] = mask[5:15, 5:15] = True
    only_small, only_large = np.zeros((20, 20), np.float32), np.zeros((20, 20), np.float32)
    only_small[0, 0], only_large[5:15, 5:15] = 1, 1
    small, large = add_all([only_small], [mask]), add_all([only_large], [mask])
    assert small.aupro() == pytest.approx(large.aupro())
    assert small.pixel_auroc() < large.pixel_auroc()


@pytest.mark.parametrize("value", [False, True])
def test_both_kinds_of_pixels_are_needed(value: bool) -> None:
    localisation = add_all([np.zeros((4, 4), np.float32)], [np.full((4, 4), value)])
    assert not localisation.is_measurable


def test_an_error_a_little_beyond_1_is_the_greatest() -> None:
    mask = np.array([[True, False]])
    assert add_all([np.array([[1 + 1e-6, 0.5]], np.float32)], [mask]).pixel_auroc() == 1
