"""Sections of a YAML file as frozen, validated values; every wrong one is named, with what is allowed."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cae.core.errors import UserError


class Section(BaseModel):
    """A part of params.yaml: unknown keys, text for numbers and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


SectionKind = TypeVar("SectionKind", bound=Section)
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Item = TypeVar("Item", int, float)


def check_increasing(values: tuple[Item, ...]) -> tuple[Item, ...]:
    """Refuse a list in which a value does not exceed the one before it."""
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise ValueError(
            f"{list(values)} must increase from each value to the next: sort it, without repeats"
        )
    return values


# YAML knows lists alone; a tuple cannot be changed once read.
Increasing = Annotated[tuple[Item, ...], Field(strict=False, min_length=1), AfterValidator(check_increasing)]


def read(path: Path, kind: type[SectionKind]) -> SectionKind:
    """Read a YAML file and validate it as a section.

    Raises:
        UserError: no such file, not YAML in UTF-8, or one line for every wrong key or value.
    """
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{path} could not be read: {error.strerror}. Run from the project's folder."
        ) from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML in UTF-8: {error}") from error
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        lines = "\n".join(f"  {explain(kind, dict(problem))}" for problem in error.errors())
        raise UserError(f"{path} has wrong values:\n{lines}") from error


def explain(kind: type[Section], problem: dict[str, Any]) -> str:
    """Say in one line which key is wrong, what was found, what is allowed and how to fix it."""
    key = ".".join(map(str, problem["loc"])) or "the file"
    value = problem["input"]
    if problem["type"] == "missing":
        return f"{key} is missing: add it"
    if problem["type"] == "extra_forbidden":
        return f"{key} is not a known key: remove it or write one of {known(kind, problem['loc'])}"
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}"
    if isinstance(value, str) and (number := as_number(value, problem["type"])) is not None:
        # YAML 1.1 reads a number with an exponent only where it has a dot as well: its own writer knows.
        written = yaml.safe_dump(number).partition("\n")[0]
        return f"{key} is the text '{value}', which YAML does not read as a number: write {written}"
    return f"{key} is {value!r}: {problem['msg'].removeprefix('Input ').replace('tuple', 'list')}"


def known(kind: type[Section], place: Sequence[str]) -> str:
    """List the keys that there are where an unknown one was found."""
    for name in place[:-1]:
        kind = cast(type[Section], kind.model_fields[name].annotation)
    return ", ".join(kind.model_fields)


def as_number(text: str, problem: str) -> float | None:
    """Return the number that a text such as 1e-3 means, if it is one that its key can take, else None.

    `problem` is what pydantic calls it when the key wants a number: "int_type" or "float_type".
    """
    try:
        number = float(text)
    except ValueError:
        return None
    if problem == "int_type":
        return int(number) if number.is_integer() else None
    return number if problem == "float_type" and math.isfinite(number) else None
