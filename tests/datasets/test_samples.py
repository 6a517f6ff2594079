"""One size, one number of channels and one depth: what differs is named, with the two pictures."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cae.core.errors import UserError
from cae.datasets.safety import describe_error
from cae.datasets.samples import Sample, check_uniform

GREY = np.zeros((5, 7), np.uint8)


def picture(name: str, pixels: npt.NDArray[Any]) -> Sample:
    return Sample(name, pixels, group=name)


def test_pictures_that_agree_pass() -> None:
    pictures = [picture("a", GREY), picture("b", GREY[..., np.newaxis]), picture("c", GREY)]
    assert list(check_uniform(iter(pictures))) == pictures


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros((7, 5), np.uint8), r"'a\\n' has the size 5×7 and 'b' 7×5: .*data\.size.*data\.tiles"),
        (np.zeros((5, 7, 3), np.uint8), r"'a\\n' has the number of channels 1 and 'b' 3: .*data\.channels"),
        (np.zeros((5, 7), np.uint16), r"'a\\n' has the depth uint8 and 'b' uint16: .*Convert them to one"),
    ],
)
def test_pictures_that_differ_are_named(other: npt.NDArray[Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(check_uniform([picture("a\n", GREY), picture("b", other)]))


def test_sizes_and_channels_may_differ_where_they_are_changed_anyway() -> None:
    pictures = [picture("a", GREY), picture("b", np.zeros((9, 9, 3), np.uint8))]
    assert list(check_uniform(pictures, sizes=False, channels=False)) == pictures
    with pytest.raises(UserError, match="number of channels"):
        list(check_uniform(pictures, sizes=False))
    with pytest.raises(UserError, match="size"):
        list(check_uniform(pictures, channels=False))


def test_depths_may_never_differ() -> None:
    pictures = [picture("a", GREY), picture("b", GREY.astype(np.float32))]
    with pytest.raises(UserError, match="depth"):
        list(check_uniform(pictures, sizes=False, channels=False))


def test_pictures_are_checked_as_they_pass() -> None:
    passing = check_uniform(iter([picture("a", GREY), picture("b", GREY[:2])]))
    assert next(passing).name == "a"


def test_a_decoders_private_names_are_not_told() -> None:
    class _BrokenTile(Exception):
        pass

    assert "(no such tile)" in describe_error(_BrokenTile("no such tile"))
    assert "(ValueError: no such tile)" in describe_error(ValueError("no such tile"))
