"""Settings as frozen, validated values; an error names every wrong value with its fix."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cae.core.errors import UserError


class Section(BaseModel):
    """A section of a YAML file; it refuses unknown keys, text in place of numbers, and NaN."""

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


# YAML has lists; a tuple cannot be changed after it is read.
Increasing = Annotated[tuple[Item, ...], Field(strict=False, min_length=1), AfterValidator(check_increasing)]


def validate(content: Any, kind: type[SectionKind], path: Path) -> SectionKind:
    """Return the content of a file as a section; UserError with one line for every wrong key or value."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        lines = "\n".join(f"  {describe_problem(kind, dict(problem))}" for problem in error.errors())
        raise UserError(f"{path} has wrong values:\n{lines}") from error


def describe_problem(kind: type[Section], problem: dict[str, Any]) -> str:
    """Return one line: which key is wrong, what was found, what is allowed and how to fix it."""
    key = ".".join(map(str, problem["loc"])) or "the file"
    value = problem["input"]
    if problem["type"] == "missing":
        return f"{key} is missing: add it"
    if problem["type"] == "extra_forbidden":
        known = list_keys(kind, problem["loc"])
        return f"{key} is not a known key: remove it{f' or write one of {known}' if known else ''}"
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}"
    if isinstance(value, str) and (number := parse_number(value, problem["type"])) is not None:
        # YAML 1.1 reads 1e-3 as text, because it has no dot; PyYAML writes the number as it must be.
        written = yaml.safe_dump(number).partition("\n")[0]
        return f"{key} is the text '{value}', which YAML does not read as a number: write {written}"
    message = problem["msg"].removeprefix("Input ").replace("tuple", "list").replace("Tuple", "the list")
    return f"{key} is {value!r}: {message.replace(' after validation', '')}"


def list_keys(kind: type[Section], unknown: Sequence[str]) -> str:
    """List the keys of the section in which an unknown key was found; none for a section in a list."""
    for name in unknown[:-1]:
        field = kind.model_fields.get(name)
        # An optional section is `Section | None`.
        alternatives = [field.annotation, *get_args(field.annotation)] if field else []
        sections = [one for one in alternatives if isinstance(one, type) and issubclass(one, Section)]
        if not sections:
            return ""
        kind = sections[0]
    return ", ".join(kind.model_fields)


def parse_number(text: str, problem: str) -> float | None:
    """Return the number that a text such as 1e-3 stands for, or None if the key does not accept it.

    `problem` is pydantic's name for the error: "int_type" or "float_type" if the key needs a number.
    """
    try:
        number = float(text)
    except ValueError:
        return None
    if problem == "int_type":
        return int(number) if number.is_integer() else None
    return number if problem == "float_type" and math.isfinite(number) else None
