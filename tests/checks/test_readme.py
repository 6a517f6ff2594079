"""Pages show the committed results, and their links and commands exist."""

import re

import pytest

from checks import readme
from tests import ROOT

PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for pattern in ("*.md", "*/README.md", "docs/*.md", "studies/*/README.md")
    for path in ROOT.glob(pattern)
}


@pytest.mark.parametrize("page", readme.PAGES)
def test_tables_are_those_of_the_committed_results(page: str) -> None:
    assert readme.fill(page, PAGES[page]) == PAGES[page], "run python -m checks.readme"


def test_a_page_without_a_place_for_its_table_is_refused() -> None:
    with pytest.raises(ValueError, match=r"README\.md has no place for the table results"):
        readme.fill("README.md", "# Title\n")


@pytest.mark.parametrize("page", PAGES)
def test_links_and_make_targets_exist(page: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGES[page])
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
    targets = set(re.findall(r"(?:^|`)make (\w+)", PAGES[page], re.M))
    assert targets <= set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))


def test_every_study_has_a_page_that_begins_with_its_command() -> None:
    for study in ROOT.glob("studies/*/dvc.yaml"):
        page = f"studies/{study.parent.name}/README.md"
        assert PAGES[page].index("```sh") < 400, page
