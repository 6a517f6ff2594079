"""Reading PGM and PPM: the values as they are written, or a message that says what is wrong."""

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
PIXELS = st.one_of(
    arrays.arrays("u1", SHAPES),
    arrays.arrays("u2", SHAPES),
    arrays.arrays("u1", SHAPES.map(lambda shape: (*shape, 3))),
)


def written(pixels: npt.NDArray[Any], maximum: int, raw: bool) -> bytes:
    kind = (5 if raw else 2) + (pixels.ndim == 3)
    header = f"P{kind}\n# a comment, 9 9\n{pixels.shape[1]} {pixels.shape[0]}\n{maximum}\n".encode()
    if raw:
        return header + pixels.astype(">u2" if maximum > 255 else "u1").tobytes()
    return header + " ".join(map(str, pixels.ravel())).encode()


@settings(deadline=None)
@given(PIXELS, st.booleans())
def test_values_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, pixels: npt.NDArray[Any], raw: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "a.pgm"
    maximum = 255 if pixels.dtype == np.uint8 else 65535
    path.write_bytes(written(pixels, maximum, raw))
    found = netpbm.read(path)
    assert found.dtype == pixels.dtype
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "plain"])
def test_values_are_not_stretched_to_the_maximum(tmp_path: Path, raw: bool) -> None:
    twelve_bits = np.array([[0, 4095]], np.uint16)
    (tmp_path / "a.pgm").write_bytes(written(twelve_bits, 4095, raw))
    np.testing.assert_array_equal(netpbm.read(tmp_path / "a.pgm"), twelve_bits)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"P5\n2 2\n", "damaged header: width, height and maximum are needed"),
        (b"P5\n2 2\n255", "damaged header"),
        (b"P5\n2 two\n255\n", "damaged header"),
        (b"P5\n2 2\n0\n....", "announces the maximum 0: 1 to 65535 are read"),
        (b"P5\n2 2\n65536\n....", "announces the maximum 65536"),
        (b"P6\n1 1\n65535\n......", "colours of 16 bits a channel"),
        (b"P5\n0 2\n255\n", "every side must be at least 1 pixel"),
        (b"P5\n99999 99999\n255\n", "at most 67,108,864 pixels"),
        (b"P5\n2 2\n255\n...", "is truncated: 1 byte missing"),
        (b"P5\n2 2\n255\n.....", "goes on after its first picture"),
        (b"P5\n2 1\n9\n\x01\x0a", "holds values from 1 to 10, above its maximum 9"),
        (b"P2\n2 1\n9\n1", "announces 2 values, and 1 can be read"),
        (b"P2\n2 1\n9\n1 2 3", "announces 2 values, and 3 can be read"),
        (b"P2\n2 1\n9\n1 -2", "holds values from -2 to 1"),
        (b"P2\n2 1\n9\n1 99999999999", "above its maximum 9"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.pgm").write_bytes(content)
    with pytest.raises(UnsupportedError, match=message):
        netpbm.read(tmp_path / "a.pgm")
