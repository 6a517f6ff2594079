"""The pipeline with other parameters."""

import pytest
from pydantic import ValidationError

from cae.ground import params
from studies import pipeline
from tests.pipeline.conftest import ROOT

SETTINGS = params.load(ROOT / "params.yaml")


def test_values_are_changed_where_they_are_named_and_nowhere_else() -> None:
    changed = pipeline.changed(SETTINGS, {"model.name": "residual", "train.seed": 7})
    assert (changed.model.name, changed.train.seed) == ("residual", 7)
    back = {"model.name": SETTINGS.model.name, "train.seed": SETTINGS.train.seed}
    assert pipeline.changed(changed, back) == SETTINGS


def test_a_wrong_value_is_refused() -> None:
    with pytest.raises(ValidationError, match="code_size"):
        pipeline.changed(SETTINGS, {"model.residual.code_size": 0})
