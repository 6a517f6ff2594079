"""Settings of networks: every wrong value is named with what is allowed."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from cae.networks.model import NETWORKS, Model


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        ("residual", {"code_size": 0}, "greater than or equal to 1"),
        ("residual", {"filters": [8]}, "Extra inputs"),
        (
            "residual",
            {"augmentations": [{"kind": "rain"}]},
            "'mirror', 'shift', 'gaussian', 'salt_and_pepper'",
        ),
        ("residual", {"augmentations": [{"kind": "gaussian", "strength": 0.0}]}, "greater than 0"),
        ("residual", {"augmentations": [{"kind": "shift"}]}, "Field required"),
        (
            "residual",
            {"augmentations": [{"kind": "gaussian", "strength": 0.1}, {"kind": "mirror"}]},
            "noise must come last",
        ),
        ("self_supervised", {"augmentations": [{"kind": "mirror"}]}, "draws views of its own"),
        ("self_supervised", {"task": "masked", "reconstruction": 1.0}, "masked is a reconstruction"),
        ("variational", {"beta": 1.5}, "with 5 codes per image a weight above 1 rewards"),
        ("convolutional", {"learning_rate": -0.1}, "greater than 0"),
        ("convolutional", {"batch_size": 0}, "greater than or equal to 1"),
        ("convolutional", {"filters": [32, 16]}, "[32, 16] must be three numbers from 1 to 512"),
        ("convolutional", {"filters": [0, 8, 8]}, "[0, 8, 8] must be three numbers from 1 to 512"),
        ("convolutional", {"filters": [8, 8, 513]}, "[8, 8, 513] must be three numbers from 1 to 512"),
    ],
)
def test_a_wrong_setting_is_refused(network: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        Model.model_validate({network: settings})


def test_an_unknown_network_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(ValidationError, match=".*".join(NETWORKS)):
        Model.model_validate({"name": "vit"})
