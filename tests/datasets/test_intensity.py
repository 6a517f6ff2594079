"""Grey values to [0, 1]: by what the type can hold or by a window that was asked for, never by a guess."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from cae.core.errors import UserError
from cae.datasets.intensity import apply_window, convert_channels
from cae.datasets.samples import Sample

TYPES = ["u1", "u2", "i1", "i2", "u4", "i4", "i8", "f2", "f4", "f8"]


def picture(values: Any, dtype: str) -> Sample:
    return Sample("a b.png", np.array(values, dtype).reshape(1, -1))


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("u1", [0, 51, 255]),
        ("u2", [0, 13107, 65535]),
        ("f2", [0, 0.2, 1]),
        ("f4", [0, 0.2, 1]),
        ("f8", [0, 0.2, 1]),
    ],
)
def test_without_a_window_the_type_says_what_is_white(dtype: str, values: list[float]) -> None:
    found = apply_window(picture(values, dtype))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0, 0.2, 1]], atol=1e-4 if dtype == "f2" else 1e-7)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("i2", [-1000, 3000]),
        ("u4", [0, 1]),
        ("i4", [0, 1]),
        ("i1", [0, 1]),
        ("f4", [0, 1.5]),
        ("f8", [-0.1, 1]),
    ],
)
def test_where_the_type_says_nothing_a_window_is_asked_for(dtype: str, values: list[float]) -> None:
    with pytest.raises(
        UserError, match=r"'a b\.png' holds \w+ from .* to .*: without a window.*Say by a window"
    ):
        apply_window(picture(values, dtype))


@pytest.mark.parametrize("dtype", TYPES)
def test_a_window_cuts_off_what_lies_outside(dtype: str) -> None:
    found = apply_window(picture([0, 20, 45, 70, 100], dtype), (20, 70))
    np.testing.assert_allclose(found, [[0, 0, 0.5, 1, 1]])


@settings(deadline=None)
@given(
    st.sampled_from(TYPES).flatmap(
        lambda dtype: arrays.arrays(dtype, (2, 3), elements={"allow_nan": False} if dtype[0] == "f" else None)
    ),
    st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)),
)
def test_with_a_window_every_type_ends_in_0_to_1(pixels: npt.NDArray[Any], ends: tuple[float, float]) -> None:
    found = apply_window(Sample("a", pixels), (ends[0], ends[0] + ends[1]))
    assert found.dtype == np.float32
    assert found.shape == pixels.shape
    assert found.min() >= 0
    assert found.max() <= 1


def test_values_of_32_bits_are_told_apart() -> None:
    found = apply_window(picture([2**31, 2**31 + 1], "u4"), (2**31, 2**31 + 2))
    np.testing.assert_allclose(found, [[0, 0.5]])


@pytest.mark.parametrize("window", [None, (0, 1)])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_nan_is_refused(dtype: str, window: tuple[float, float] | None) -> None:
    with pytest.raises(UserError, match=r"'a b\.png' holds NaN"):
        apply_window(picture([0, np.nan, 1], dtype), window)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_outside(value: float) -> None:
    with pytest.raises(UserError, match=r"Say by a window"):
        apply_window(picture([0, value], "f4"))
    np.testing.assert_array_equal(apply_window(picture([value], "f4"), (0, 1)), [[float(value > 0)]])


@pytest.mark.parametrize("window", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)])
def test_a_window_that_is_none_is_named(window: tuple[float, float]) -> None:
    with pytest.raises(UserError, match=r"The window is .*: two numbers are needed, the lower one first"):
        apply_window(picture([0], "u1"), window)


def test_the_picture_itself_stays_as_it_is() -> None:
    pixels = np.array([[0, 0.5]], np.float32)
    pixels.flags.writeable = False
    apply_window(Sample("a", pixels), (0.25, 0.75))


GREY = np.array([[0, 0.5, 1]], np.float32)
RGB = np.random.default_rng(0).random((4, 5, 3), np.float32)


@pytest.mark.parametrize(
    ("image", "channels", "shape"),
    [
        (GREY, None, (1, 3, 1)),
        (GREY, 1, (1, 3, 1)),
        (GREY, 3, (1, 3, 3)),
        (GREY[..., np.newaxis], None, (1, 3, 1)),
        (RGB, None, (4, 5, 3)),
        (RGB, 3, (4, 5, 3)),
        (RGB, 1, (4, 5, 1)),
    ],
)
def test_channels_change_only_when_asked(
    image: npt.NDArray[np.float32], channels: int | None, shape: tuple[int, ...]
) -> None:
    found = convert_channels(image, channels)
    assert found.dtype == np.float32
    assert found.shape == shape


def test_grey_of_colours_is_pillows() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(colours).convert("L"))
    found = convert_channels(apply_window(Sample("a", colours)), 1)
    np.testing.assert_array_less(np.abs(255 * found[..., 0] - grey), 0.5001)


def test_there_and_back_grey_stays() -> None:
    np.testing.assert_allclose(convert_channels(convert_channels(GREY, 3), 1)[..., 0], GREY, atol=1e-7)


def test_other_numbers_of_channels_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="2 channels cannot be made of 1"):
        convert_channels(GREY, 2)
