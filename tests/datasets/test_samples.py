"""All samples have one size, number of channels and data type; what differs is named."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cae.core.errors import UserError
from cae.datasets.safety import describe_error
from cae.datasets.samples import Sample, check_uniform

GREY = np.zeros((5, 7), np.uint8)
FIRST = Sample("a\n", GREY)
OTHERS: dict[str, npt.NDArray[Any]] = {
    "sizes": np.zeros((7, 5), np.uint8),
    "channels": np.zeros((5, 7, 3), np.uint8),
    "dtypes": np.zeros((5, 7), np.uint16),
}


def test_samples_that_agree_pass_one_after_another() -> None:
    samples = [FIRST, Sample("b", GREY[..., np.newaxis]), Sample("c", GREY[:2])]
    passing = check_uniform(iter(samples))
    assert [next(passing), next(passing)] == samples[:2]
    with pytest.raises(UserError, match="size"):
        next(passing)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("sizes", r"'a\\n' has the size 5×7 and 'b' has 7×5, .*data\.size.*data\.tiles"),
        ("channels", r"'a\\n' has the number of channels 1 and 'b' has 3, .*data\.channels"),
        ("dtypes", r"'a\\n' has the data type uint8 and 'b' has uint16, .*Convert them to one"),
    ],
)
def test_samples_that_differ_are_named_unless_they_may(what: str, message: str) -> None:
    samples = [FIRST, Sample("b", OTHERS[what])]
    with pytest.raises(UserError, match=message):
        list(check_uniform(samples))
    assert list(check_uniform(samples, **{what: False})) == samples
    for other in OTHERS.keys() - {what}:
        with pytest.raises(UserError):
            list(check_uniform(samples, **{other: False}))


def test_private_names_of_decoders_are_not_shown() -> None:
    class _BrokenTile(Exception):
        pass

    assert "(no such tile)" in describe_error(_BrokenTile("no such tile"))
    assert "(ValueError: no such tile)" in describe_error(ValueError("no such tile"))
