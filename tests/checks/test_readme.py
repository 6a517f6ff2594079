"""README.md says what the committed metrics say, and its links and commands exist."""

import re
from pathlib import Path

import pytest

from checks import readme

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def test_its_tables_are_those_of_the_committed_metrics() -> None:
    assert readme.filled(TEXT) == TEXT, "stale: run python -m checks.readme"


def test_a_changed_number_would_be_noticed() -> None:
    number = re.search(r"0\.\d{5}", TEXT[TEXT.index("<!-- results -->") :])
    assert number is not None
    assert readme.filled(TEXT.replace(number[0], "0.12345")) != TEXT.replace(number[0], "0.12345")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:|#)([^)]+)\)", TEXT))))
def test_what_it_links_to_exists(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize("goal", sorted(set(re.findall(r"(?:^|`)make (\w+)", TEXT, re.MULTILINE))))
def test_the_make_goals_it_names_exist(goal: str) -> None:
    assert re.search(rf"^{goal}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
