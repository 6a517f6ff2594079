"""Grey values to [0, 1]: by the range of their type or by a given window, never by a guess."""

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
Window = tuple[float, float]


def scale(values: list[float], dtype: str, window: Window | None = None) -> npt.NDArray[np.float32]:
    pixels = np.array([values], dtype)
    pixels.flags.writeable = False
    scaled = apply_window(Sample("a b.png", pixels), window)
    assert scaled.dtype == np.float32
    return scaled[0]


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
def test_without_a_window_the_type_decides_what_is_white(dtype: str, values: list[float]) -> None:
    np.testing.assert_allclose(scale(values, dtype), [0, 0.2, 1], atol=1e-4 if dtype == "f2" else 1e-7)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("i2", [-1000, 3000]),
        ("u4", [0, 1]),
        ("i4", [0, 1]),
        ("i1", [0, 1]),
        ("f4", [0, 1.5]),
        ("f8", [-0.1, 1]),
        ("f4", [0, np.inf]),
        ("f4", [0, -np.inf]),
    ],
)
def test_if_the_type_does_not_decide_a_window_is_asked_for(dtype: str, values: list[float]) -> None:
    with pytest.raises(
        UserError, match=r"'a b\.png' holds \w+ from .* to .*: without a window.*Set a window"
    ):
        scale(values, dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_values_outside_a_window_are_clipped(dtype: str) -> None:
    np.testing.assert_allclose(scale([0, 20, 45, 70, 100], dtype, (20, 70)), [0, 0, 0.5, 1, 1])


@settings(deadline=None)
@given(
    st.sampled_from(TYPES).flatmap(
        lambda dtype: arrays.arrays(dtype, (2, 3), elements={"allow_nan": False} if dtype[0] == "f" else None)
    ),
    st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)),
)
def test_with_a_window_every_type_ends_in_0_to_1(pixels: npt.NDArray[Any], window: Window) -> None:
    scaled = apply_window(Sample("a", pixels), (window[0], window[0] + window[1]))
    assert scaled.shape == pixels.shape
    assert scaled.min() >= 0
    assert scaled.max() <= 1


def test_neighbouring_values_of_32_bits_are_distinguished() -> None:
    np.testing.assert_allclose(scale([2**31, 2**31 + 1], "u4", (2**31, 2**31 + 2)), [0, 0.5])


@pytest.mark.parametrize("window", [None, (0, 1)])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_nan_is_refused(dtype: str, window: Window | None) -> None:
    with pytest.raises(UserError, match=r"'a b\.png' holds NaN"):
        scale([0, np.nan, 1], dtype, window)


@pytest.mark.parametrize("window", [(1, 1), (2, 1), (0, np.inf), (np.nan, 1)])
def test_an_invalid_window_is_named(window: Window) -> None:
    with pytest.raises(UserError, match=r"The window is .*: two numbers are needed, the lower one first"):
        scale([0], "u1", window)


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
def test_channels_are_converted_only_if_asked(
    image: npt.NDArray[np.float32], channels: int | None, shape: tuple[int, ...]
) -> None:
    converted = convert_channels(image, channels)
    assert converted.dtype == np.float32
    assert converted.shape == shape


def test_grey_of_colours_is_that_of_pillow() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(colours).convert("L"))
    found = convert_channels(apply_window(Sample("a", colours)), 1)
    np.testing.assert_array_less(np.abs(255 * found[..., 0] - grey), 0.5001)


def test_grey_survives_three_channels() -> None:
    np.testing.assert_allclose(convert_channels(convert_channels(GREY, 3), 1)[..., 0], GREY, atol=1e-7)


def test_other_numbers_of_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="1 channels cannot be converted to 2"):
        convert_channels(GREY, 2)
