"""Settings: valid values are read, and every wrong one is named with what is allowed."""

import re
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field, ValidationError

from cae.core import config
from cae.core.errors import UserError


class Training(config.Section):
    epochs: Annotated[int, Field(ge=1, le=1000)]
    rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    seeds: config.Increasing[config.Seed] = (1, 2)


class Step(config.Section):
    size: int


class Settings(config.Section):
    train: Training
    first: Step | None = None
    others: Annotated[tuple[Step, ...], Field(strict=False)] = ()


def read(folder: Path, content: Any) -> Training:
    values = yaml.safe_load(content) if isinstance(content, str) else {"train": content}
    return config.validate(values, Settings, folder / "params.yaml").train


def test_values_are_read_with_defaults_and_cannot_be_changed(tmp_path: Path) -> None:
    training = read(tmp_path, {"epochs": 3, "seeds": [4, 5]})
    assert training == Training(epochs=3, rate=0.1, seeds=(4, 5))
    with pytest.raises(ValidationError, match="frozen"):
        training.epochs = 4


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("epoch", 3, "train.epoch is not a known key: remove it or write one of epochs, rate, seeds"),
        ("epochs", "ten", "train.epochs is 'ten': should be a valid integer"),
        ("epochs", 2.5, "train.epochs is 2.5: should be a valid integer"),
        ("epochs", "2.5", "train.epochs is '2.5': should be a valid integer"),
        ("epochs", "inf", "train.epochs is 'inf': should be a valid integer"),
        ("epochs", True, "train.epochs is True: should be a valid integer"),
        ("epochs", None, "train.epochs is None: should be a valid integer"),
        ("epochs", [3], "train.epochs is [3]: should be a valid integer"),
        ("epochs", 0, "train.epochs is 0: should be greater than or equal to 1"),
        ("epochs", 10**9, "train.epochs is 1000000000: should be less than or equal to 1000"),
        ("rate", 0.0, "train.rate is 0.0: should be greater than 0"),
        ("rate", float("nan"), "train.rate is nan: "),
        ("rate", "1e999", "train.rate is '1e999': should be a valid number"),
        ("seeds", [2, 1], "train.seeds: [2, 1] must increase from each value to the next"),
        ("seeds", [], "train.seeds is []: the list should have at least 1 item, not 0"),
        ("seeds", [-1], "train.seeds.0 is -1: should be greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    key: str, value: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        read(tmp_path, {"epochs": 3} | {key: value})


@pytest.mark.parametrize(
    ("key", "text", "advice"),
    [
        ("epochs", "10", "10"),
        ("epochs", "1e1", "10"),
        ("rate", "1", "1.0"),
        ("rate", "1e-3", "0.001"),
        ("rate", "1e-7", "1.0e-07"),
    ],
)
def test_a_number_that_yaml_reads_as_text_is_reported_with_a_spelling_that_works(
    key: str, text: str, advice: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"is the text '{text}'.* write {re.escape(advice)}$"):
        read(tmp_path, {"epochs": 3} | {key: text})
    lines = {"epochs": "3"} | {key: advice}
    as_advised = read(
        tmp_path, f"train: {{{', '.join(f'{name}: {value}' for name, value in lines.items())}}}"
    )
    assert getattr(as_advised, key) == float(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("train: {epochs: 0, rate: 2}", r"(?s)train\.epochs is 0.*train\.rate is 2"),
        ("train: {}", r"train\.epochs is missing: add it"),
        ("first: {rate: 1}", r"first\.rate is not a known key: remove it or write one of size"),
        ("others: [{rate: 1}]", r"(?m)others\.0\.rate is not a known key: remove it$"),
        ("", "params.yaml has wrong values"),
        ("just text", "params.yaml has wrong values"),
    ],
)
def test_all_that_is_wrong_with_a_file_is_reported(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, content)
