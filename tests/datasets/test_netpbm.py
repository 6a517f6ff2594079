"""PGM and PPM: the values as they are written, or a message that says what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cae.datasets.formats import netpbm
from cae.datasets.safety import UnsupportedError

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=5)
# Pixels with the maximum in their header, which does not rescale them.
IMAGES = st.one_of(
    st.tuples(arrays.arrays("u1", SHAPES), st.just(255)),
    st.tuples(arrays.arrays("u1", SHAPES.map(lambda shape: (*shape, 3))), st.just(255)),
    st.tuples(arrays.arrays("u2", SHAPES), st.just(65535)),
    st.tuples(arrays.arrays("u2", SHAPES, elements=st.integers(0, 4095)), st.just(4095)),
)


def encode(pixels: npt.NDArray[Any], maximum: int, raw: bool) -> bytes:
    kind = (5 if raw else 2) + (pixels.ndim == 3)
    header = f"P{kind}\n# a comment, 9 9\n{pixels.shape[1]} {pixels.shape[0]}\n{maximum}\n".encode()
    if raw:
        return header + pixels.astype(">u2" if maximum > 255 else "u1").tobytes()
    return header + " ".join(map(str, pixels.ravel())).encode()


@settings(deadline=None)
@given(IMAGES, st.booleans())
def test_values_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, image: tuple[npt.NDArray[Any], int], raw: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "a.pgm"
    path.write_bytes(encode(*image, raw))
    found = netpbm.decode(path)
    assert found.dtype == image[0].dtype
    np.testing.assert_array_equal(found, image[0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"P5\n2 2\n", "damaged header: width, height and maximum are needed"),
        (b"P5\n2 2\n255", "damaged header"),
        (b"P5\n2 two\n255\n", "damaged header"),
        (b"P5\n2 2\n0\n....", "has the maximum 0 in its header: it must be 1 to 65535"),
        (b"P5\n2 2\n65536\n....", "has the maximum 65536"),
        (b"P6\n1 1\n65535\n......", "colours with 16 bits per channel"),
        (b"P5\n0 2\n255\n", "every side must be at least 1 pixel"),
        (b"P5\n99999 99999\n255\n", "at most 67,108,864 pixels"),
        (b"P5\n2 2\n255\n...", "is truncated: 1 byte missing"),
        (b"P5\n2 2\n255\n.....", "holds more than one image"),
        (b"P5\n2 1\n9\n\x01\x0a", "holds values from 1 to 10, outside 0 to its maximum 9"),
        (b"P2\n2 1\n9\n1", "announces 2 values, but 1 can be read"),
        (b"P2\n2 1\n9\n1 2 3", "announces 2 values, but 3 can be read"),
        (b"P2\n2 1\n9\n1 -2", "holds values from -2 to 1"),
        (b"P2\n2 1\n9\n1 99999999999", "outside 0 to its maximum 9"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.pgm").write_bytes(content)
    with pytest.raises(UnsupportedError, match=message):
        netpbm.decode(tmp_path / "a.pgm")
