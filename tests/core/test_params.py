"""params.yaml: right values are read, and every wrong one is named with its fix."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cae.core import params
from cae.core.errors import UserError

COMMITTED = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def content() -> dict[str, Any]:
    return yaml.safe_load(COMMITTED.read_text())


def load(content: Any, folder: Path) -> params.Params:
    path = folder / "params.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return params.load(path)


def at(content: dict[str, Any], section: str) -> dict[str, Any]:
    """Return a section, or one inside another as "model.residual"."""
    for name in section.split("."):
        content = content[name]
    return content


def test_the_committed_file_is_valid() -> None:
    assert params.load(COMMITTED).prepare.train == 50_000


def test_values_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        params.load(COMMITTED).train.epochs = 3


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("train", "epoch", 3, r"train\.epoch is not a known key: .* one of epochs, patience, shards, engine"),
        (
            "model",
            "name",
            "vit",
            r"model\.name is 'vit': should be 'convolutional', 'residual' or 'variational'",
        ),
        ("model.residual", "filters", [8], r"filters is not a known key: .* one of .*code_size, width"),
        ("model.convolutional", "width", 9, r"width is not a known key: .* one of .*filters"),
        ("model.residual", "code_size", 0, r"code_size is 0: .* greater than or equal to 1"),
        (
            "model.residual",
            "augmentations",
            [{"kind": "rain"}],
            r"augmentations\.0 is .*'rain'.*'mirror', 'shift', 'gaussian', 'salt_and_pepper'",
        ),
        (
            "model.residual",
            "augmentations",
            [{"kind": "gaussian", "strength": 0.0}],
            r"augmentations\.0\.gaussian\.strength is 0\.0: .* greater than 0",
        ),
        (
            "model.residual",
            "augmentations",
            [{"kind": "gaussian", "strength": 0.1}, {"kind": "mirror"}],
            r"augmentations: noise must come last",
        ),
        (
            "model.residual",
            "augmentations",
            [{"kind": "shift"}],
            r"augmentations\.0\.shift\.pixels is missing",
        ),
        ("model.variational", "beta", 1.5, r"with 5 codes an image a weight above 1 rewards"),
        ("train", "epochs", "ten", r"train\.epochs is 'ten': .*integer"),
        ("train", "epochs", 2.5, r"train\.epochs is 2\.5: .*integer"),
        ("train", "epochs", True, r"train\.epochs is True: .*integer"),
        ("train", "epochs", None, r"train\.epochs is None: .*integer"),
        ("train", "epochs", 0, r"train\.epochs is 0: should be greater than or equal to 1"),
        ("train", "epochs", -1, r"train\.epochs is -1"),
        ("train", "epochs", 10**9, r"train\.epochs is 1000000000: should be less than or equal to 1000"),
        (
            "model.convolutional",
            "learning_rate",
            -0.1,
            r"learning_rate is -0\.1: should be greater than 0",
        ),
        (
            "model.convolutional",
            "learning_rate",
            50.0,
            r"learning_rate is 50\.0: should be less than or equal to 1",
        ),
        ("model.convolutional", "learning_rate", float("nan"), r"learning_rate is nan"),
        ("model.convolutional", "learning_rate", "1e-3", r"is the text '1e-3'.*write 0\.001"),
        ("train", "epochs", "2.5", r"train\.epochs is '2\.5': .*integer"),
        ("train", "epochs", "inf", r"train\.epochs is 'inf': .*integer"),
        (
            "model.convolutional",
            "learning_rate",
            "inf",
            r"learning_rate is 'inf': .*number",
        ),
        (
            "model.convolutional",
            "learning_rate",
            "1e999",
            r"learning_rate is '1e999': .*number",
        ),
        ("model.convolutional", "batch_size", [32], r"batch_size is \[32\]"),
        ("prepare", "test", 10_001, r"prepare\.test is 10001"),
        ("prepare", "validation", 10_001, r"train \+ validation is 60001.*60,000 images: lower one"),
        ("prepare", "seed", -1, r"prepare\.seed is -1"),
        ("train", "engine", "slow", r"train\.engine is 'slow': should be 'fast' or 'stock'"),
        (
            "model.convolutional",
            "filters",
            [32, 16],
            r"filters: \[32, 16\] must be three numbers from 1 to 512",
        ),
        (
            "model.convolutional",
            "filters",
            [0, 8, 8],
            r"filters: \[0, 8, 8\] must be three numbers from 1 to 512",
        ),
        (
            "model.convolutional",
            "filters",
            [8, 8, 513],
            r"filters: \[8, 8, 513\] must be three numbers",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    section: str, key: str, value: Any, message: str, content: dict[str, Any], tmp_path: Path
) -> None:
    at(content, section)[key] = value
    with pytest.raises(UserError, match=message):
        load(content, tmp_path)


@pytest.mark.parametrize(
    ("section", "key", "text", "written"),
    [
        ("train", "epochs", "10", "10"),
        ("train", "epochs", "1e1", "10"),
        ("model.convolutional", "learning_rate", "1", "1.0"),
        ("model.convolutional", "learning_rate", "1e-3", "0.001"),
        ("model.convolutional", "learning_rate", "1e-7", "1.0e-07"),
    ],
)
def test_a_number_written_as_advised_is_accepted(
    section: str, key: str, text: str, written: str, content: dict[str, Any], tmp_path: Path
) -> None:
    at(content, section)[key] = text
    with pytest.raises(UserError, match=f"is the text '{text}'.* write {re.escape(written)}$"):
        load(content, tmp_path)
    at(content, section)[key] = "AS ADVISED"
    advised = load(yaml.safe_dump(content).replace("AS ADVISED", written), tmp_path)
    assert getattr(params.run(advised.train, advised.model.chosen), key) == float(text)


def test_every_wrong_value_is_named_at_once(content: dict[str, Any], tmp_path: Path) -> None:
    content["train"]["epochs"] = 0
    content["prepare"]["test"] = 0
    with pytest.raises(UserError, match=r"(?s)prepare\.test is 0.*train\.epochs is 0"):
        load(content, tmp_path)


def test_a_missing_key_is_named(content: dict[str, Any], tmp_path: Path) -> None:
    del content["train"]["patience"]
    with pytest.raises(UserError, match=r"train\.patience is missing: add it"):
        load(content, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "params.yaml has wrong values"),
        ("just text", "params.yaml has wrong values"),
        ("train: {epochs: 1", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        load(text, tmp_path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes("# Größe\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"params\.yaml is not valid YAML in UTF-8"):
        params.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml could not be read"):
        params.load(tmp_path / "params.yaml")
