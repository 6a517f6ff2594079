"""The page of dvc plots draws its charts without a network once set-up has run, and is DVC's own before."""

import json
import re
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.pipeline.conftest import Project

pytestmark = pytest.mark.slow

# The discard port: nobody listens there.
NO_NETWORK = "--proxy-server=127.0.0.1:9"


class Drawn(HTMLParser):
    """What a browser made of a page: marks of every chart by the id of its div, pictures, scripts loaded."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.marks: Counter[str] = Counter()
        self.pictures: list[str] = []
        self.scripts: list[str] = []
        self.part = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "div":
            self.part = attributes.get("id", self.part)
        # Vega says what a mark is to those who cannot see it; axes, legends and titles are no paths.
        elif tag == "path" and "aria-label" in attributes:
            self.marks[self.part] += 1
        elif tag == "img":
            self.pictures.append(attributes["src"])
        elif tag == "script" and "src" in attributes:
            self.scripts.append(attributes["src"])


def draw(chromium: str, page: Path, profile: Path) -> Drawn:
    """Open a page in a browser of its own that reaches no network, and read what stands in it then."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", NO_NETWORK]
    options += ["--disable-background-networking", f"--user-data-dir={profile}"]
    options += ["--virtual-time-budget=10000", "--dump-dom"]
    done = subprocess.run(
        [chromium, *options, page.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    return Drawn(done.stdout)


def set_up(project: Project) -> Path:
    """Do to a clone what the set-up of the Makefile does, and return the page that it writes."""
    project.run("python", "-m", "checks.offline")
    return project.folder / ".dvc" / "plots.html"


def show_plots(project: Project, *arguments: str) -> Path:
    """Return the page of `dvc plots show`."""
    project.dvc("plots", "show", *arguments)
    return project.folder / "dvc_plots" / "index.html"


def test_every_chart_and_picture_is_in_the_page_without_a_network(
    project: Project, chromium: str, tmp_path: Path
) -> None:
    set_up(project)
    page = show_plots(project)
    drawn = draw(chromium, page, tmp_path / "profile")
    plots = json.loads(project.dvc("plots", "show", "--json").stdout)["data"]
    types = {re.sub(r"[^\w-]", "_", name): plots[name][0]["type"] for name in plots}
    assert set(drawn.marks) == {name for name, kind in types.items() if kind == "vega"}
    assert len(drawn.pictures) == list(types.values()).count("image")
    assert all((page.parent / picture).is_file() for picture in drawn.pictures)
    assert drawn.scripts == []


def test_a_study_that_is_a_dvc_project_of_its_own_has_the_page_too(project: Project) -> None:
    study = Project(project.folder / "studies" / "line")
    study.folder.mkdir(parents=True)
    study.dvc("init", "--quiet", "--subdir")
    (study.folder / "line.csv").write_text("x,y\n0,1\n1,2\n")
    head, _, _ = set_up(project).read_text("utf-8").partition("{plot_divs}")
    assert show_plots(study, "line.csv").read_text("utf-8").startswith(head)


def test_a_clone_without_set_up_writes_dvcs_own_page(project: Project) -> None:
    page = show_plots(project).read_text("utf-8")
    assert "<title>DVC Plot</title>" in page
    assert "/npm/vega-embed@" in page


def test_set_up_twice_changes_nothing(project: Project) -> None:
    page = set_up(project)
    files = (page, page.with_name("config.local"))
    before = [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files]
    set_up(project)
    assert [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files] == before
    assert project.git("status", "--porcelain") == ""
