"""Sections of params.yaml that several stages read: every wrong value is named before anything is read."""

import re
from pathlib import Path
from typing import Any

import pytest

from cae.core.config import validate
from cae.core.errors import UserError
from stages.prepare import Settings
from tests.stages.conftest import SETTINGS


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("data", {"sise": [28, 28]}, "data.sise is not a known key: remove it or write one of source, size"),
        (
            "data",
            {"tiles": {"side": 12}},
            "data.tiles.side is not a known key: remove it or write one of size",
        ),
        ("data", {"tiles": {"size": 16, "stride": 8}}, "size 16 must be 4 more than a multiple of 8"),
        ("data", {"tiles": {"size": 12, "stride": 20}}, "a stride of 20 leaves gaps between tiles of 12"),
        ("data", {"size": [8, 28]}, "data.size.0 is 8: should be greater than or equal to 12"),
        ("data", {"channels": 2}, "data.channels is 2: should be 1 or 3"),
        # A folder of a class may have any of these names.
        (
            "data",
            {"normal": 1},
            "data.normal: YAML reads 1, which is not text: write the name of the folder in",
        ),
        ("data", {"normal": 1.5}, "data.normal: YAML reads 1.5, which is not text"),
        ("data", {"normal": False}, "data.normal: YAML reads False, which is not text"),
        ("data", {"source": "fashion-mnist", "channels": 1}, "remove every key but source"),
        (
            "split",
            {"train": 1.5},
            "split.train: 1.5 is neither a number of images nor a share of all, such as",
        ),
        ("split", {"test": 0}, "split.test: 0 is neither a number"),
        ("split", {"test": True}, "split.test: True is neither a number"),
        ("split", {"threshold": 1}, "split.threshold is 1: should be less than 1"),
        ("anomaly", {"false_alarms": 0}, "anomaly.false_alarms is 0: should be greater than 0"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    section: str, changes: dict[str, Any], message: str
) -> None:
    names = [field.alias or name for name, field in Settings.model_fields.items()]
    values = {name: SETTINGS[name] for name in names}
    values[section] = {**values[section], **changes}
    with pytest.raises(UserError, match=re.escape(message)):
        validate(values, Settings, Path("params.yaml"))
