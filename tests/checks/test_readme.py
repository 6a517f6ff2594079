"""Pages say what the committed results say, and their links and commands exist."""

import re
from pathlib import Path

import pytest

from checks import readme

ROOT = Path(__file__).parents[2]
PAGES = {page: (ROOT / page).read_text() for page in readme.PAGES}
README = PAGES["README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_its_tables_are_those_of_the_committed_results(page: str) -> None:
    assert readme.filled(page, PAGES[page]) == PAGES[page], "stale: run python -m checks.readme"


def test_a_changed_number_would_be_noticed() -> None:
    number = re.search(r"0\.\d{5}", README[README.index("<!-- results -->") :])
    assert number is not None
    changed = README.replace(number[0], "0.12345")
    assert readme.filled("README.md", changed) != changed


def links() -> list[tuple[str, str]]:
    """List every link of a page to a file, as (page, target)."""
    return sorted(
        {
            (page, target)
            for page, text in PAGES.items()
            for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
        }
    )


@pytest.mark.parametrize(("page", "target"), links())
def test_what_it_links_to_exists(page: str, target: str) -> None:
    assert (ROOT / page).parent.joinpath(target.partition("#")[0]).exists()


@pytest.mark.parametrize(
    "goal",
    sorted(
        {goal for text in PAGES.values() for goal in re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE)}
    ),
)
def test_the_make_goals_it_names_exist(goal: str) -> None:
    assert re.search(rf"^{goal}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_study_has_a_page_of_its_own_that_begins_with_its_command() -> None:
    for study in (folder for folder in (ROOT / "studies").iterdir() if (folder / "__init__.py").exists()):
        text = (study / "README.md").read_text()
        assert text.index("```sh") < 400, study
        assert f"studies/{study.name}" in README
